// Owns the flows of both directions, and what makes them be given up: whatever a decision was based on has changed.
import type { Flows } from "./flows.ts";
import type { Host, HostEvents, Hosts } from "./hosts.ts";
import type { SessionEvents } from "./sessions.ts";

/** Flows as far as there are any; without a table nothing is learnt. */
export class LearntFlows {
  toInfiniband: Flows | undefined;
  toEthernet: Flows | undefined;

  #each(tell: (flows: Flows) => void): void {
    if (this.toInfiniband !== undefined) tell(this.toInfiniband);
    if (this.toEthernet !== undefined) tell(this.toEthernet);
  }

  /** See Flows. */
  drop(owner: object): void {
    this.#each((flows) => flows.drop(owner));
  }

  dropBetween(one: object, other: object): void {
    this.#each((flows) => flows.dropBetween(one, other));
  }

  clear(): void {
    this.#each((flows) => flows.clear());
  }

  clearLeased(): void {
    this.#each((flows) => flows.clearLeased());
  }

  fold(nowMs: number): void {
    this.#each((flows) => flows.fold(nowMs));
  }

  /** The events of sessions, which flows are given up by. */
  withSessions(events: SessionEvents, hosts: () => Hosts): SessionEvents {
    return {
      opened: (session) => {
        const { client, server } = session;
        // What passed before by a session the other way round may have to have another key now.
        this.dropBetween(client, server);
        // Of several hosts at a LID the first that has a session is taken for the sender.
        this.#dropBeside(client, hosts());
        this.#dropBeside(server.host, hosts());
        events.opened(session);
      },
      learned: (endpoint) => events.learned(endpoint),
      changed: (endpoint) => {
        this.drop(endpoint);
        events.changed(endpoint);
      },
      closed: (session) => {
        this.drop(session);
        events.closed(session);
      },
      forgotten: (endpoint) => {
        this.drop(endpoint);
        events.forgotten(endpoint);
      },
    };
  }

  /** The events of hosts, which flows are given up by. */
  withHosts(events: HostEvents, hosts: () => Hosts): HostEvents {
    return {
      seek: (host) => events.seek(host),
      seekPath: (host) => events.seekPath(host),
      ready: (host) => {
        this.#dropPlace(host, hosts());
        events.ready(host);
      },
      left: (host, why) => {
        this.drop(host);
        events.left(host, why);
      },
    };
  }

  #dropPlace(host: Host, hosts: Hosts): void {
    this.drop(host);
    this.#dropBeside(host, hosts);
  }

  /** Which of the hosts at a LID sends is looked at anew. */
  #dropBeside(host: Host, hosts: Hosts): void {
    if (host.side !== "infiniband") return;
    for (const one of hosts.atLid(host.lid) ?? []) if (one !== host) this.drop(one);
  }
}
