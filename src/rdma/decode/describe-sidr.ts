// Owns what is told of the messages by which a UD queue pair is found.
import {
  CM_ATTRIBUTE,
  readSidrRep,
  readSidrReq,
  SIDR_REP_PRIVATE,
  SIDR_REP_PRIVATE_BYTES,
  SIDR_REQ_PRIVATE,
  SIDR_REQ_PRIVATE_BYTES,
  SIDR_STATUS,
  SidrRep,
  SidrReq,
} from "../codec/cm.ts";
import { IP_CM_BYTES, IpCm, ipServicePort, ipServiceProtocol, readIpCm } from "../codec/ip-cm.ts";
import type { SidrReport } from "./report.ts";
import { addressText, hex, hexOfUsed } from "./texts.ts";

const [req, rep, ip] = [new SidrReq(), new SidrRep(), new IpCm()];

/** The message in the MAD at `at`, which is a SIDR_REQ or a SIDR_REP by its attribute. */
export function describeSidr(bytes: Uint8Array, at: number, attribute: number): SidrReport {
  if (attribute === CM_ATTRIBUTE.sidrRep) {
    readSidrRep(bytes, at, rep);
    const { requestId, status, qpn, qKey } = rep;
    const meaning = SIDR_STATUS[status] ?? `status ${status}`;
    return {
      message: "SIDR_REP",
      requestId,
      ...service(rep),
      status,
      meaning,
      qpn,
      qKey,
      privateData: hexOfUsed(bytes, at + SIDR_REP_PRIVATE, SIDR_REP_PRIVATE_BYTES),
    };
  }
  readSidrReq(bytes, at, req);
  const { requestId, pKey } = req;
  const said = service(req);
  const data = at + SIDR_REQ_PRIVATE;
  // Whether a request has the addresses, its service id tells.
  if (said.service === undefined || !readIpCm(bytes, data, ip)) {
    const privateData = hexOfUsed(bytes, data, SIDR_REQ_PRIVATE_BYTES);
    return { message: "SIDR_REQ", requestId, ...said, pKey, privateData };
  }
  return {
    message: "SIDR_REQ",
    requestId,
    ...said,
    pKey,
    source: ipText(ip.source),
    sourcePort: ip.sourcePort,
    destination: ipText(ip.destination),
    privateData: hexOfUsed(bytes, data + IP_CM_BYTES, SIDR_REQ_PRIVATE_BYTES - IP_CM_BYTES),
  };
}

function ipText(address: Uint8Array): string {
  return ip.ipVersion === 4 ? addressText(address, 12, 4) : addressText(address, 0, 16);
}

function service({ serviceIdHigh, serviceIdLow }: SidrReq | SidrRep): Pick<SidrReport, "serviceId" | "service"> {
  const serviceId = hex((BigInt(serviceIdHigh) << 32n) | BigInt(serviceIdLow), 16);
  const number = ipServiceProtocol(serviceIdHigh, serviceIdLow);
  if (number < 0) return { serviceId };
  const protocol = number === 17 ? "udp" : number === 6 ? "tcp" : "other";
  return { serviceId, service: { protocol, port: ipServicePort(serviceIdLow) } };
}
