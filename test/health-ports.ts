// Owns the ports of the servers that probes are tested against (health-server.ts).

/** Where each listens. */
export const HEALTH_PORTS = {
  http: 8080,
  accepts: 8081,
  silent: 8082,
  endless: 8083,
  closes: 8084,
  other: 8085,
} as const;
