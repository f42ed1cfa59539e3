// Owns asking the subnet administrator (IBA vol 1, 15): requests with their answers, retries, and the reports that it
// sends of its own accord.
import { MAD_BYTES, MadHeader, MANAGEMENT_CLASS, METHOD, readMadHeader, writeMadHeader } from "../codec/mad.ts";
import { readRecord } from "../codec/record.ts";
import type { Layout, RecordOf } from "../codec/record.ts";
import { describeStatus, readSaHeader, SA_ATTRIBUTE, SA_CLASS_VERSION, SA_DATA, setSmKey } from "../codec/sa.ts";
import { writeSaBody } from "../codec/sa.ts";
import { INFORM_INFO, MC_MEMBER_RECORD, NOTICE, PATH_RECORD, SERVICE_RECORD } from "../codec/sa-records.ts";
import type { McMemberRecord, Notice, PathRecord, ServiceRecord } from "../codec/sa-records.ts";
import { askAgain } from "./ask-again.ts";
import type { Patience } from "./ask-again.ts";
import { FabricError } from "./management-port.ts";
import type { ManagementPort } from "./management-port.ts";
import { TableTransfer } from "./table-transfer.ts";

const PATIENCE: Patience = { timeoutMs: 1000, attempts: 4 };
/** All ports, all types: the wildcards of a subscription (IBA vol 1, 13.4.8.3). */
const ALL_16 = 0xffff;
const ALL_PRODUCERS = 0xffffff;
/** A report may take 4.096 µs · 2¹⁸ to be answered, about a second. */
const RESPONSE_TIME = 18;

/** Datagrams of one table: some 4600 members of a group, in 256 KiB. */
const MOST_SEGMENTS = 1280;

/** What tells services apart. */
export type ServiceKey = Pick<ServiceRecord, "serviceId" | "serviceGid" | "pKey">;

interface Pending {
  attribute: number;
  answer: (mad: Uint8Array, slid: number) => void;
}

/** The members of a group, as far as they were told. */
export interface Members {
  records: McMemberRecord[];
  /** There are more. */
  more: boolean;
}

/** A client of the administrator at one port. */
export class SaClient {
  /** Is called with every report; a subscription asks for them. */
  onNotice: (notice: Notice) => void = () => {};
  /** Is called with datagrams of other classes, and the LID that they came from. */
  onOther: (mad: Uint8Array, slid: number) => void = () => {};
  /** When the administrator answered last (performance.now()); undefined where it never has. */
  heardMs: number | undefined;
  readonly #port: ManagementPort;
  readonly #patience: Patience;
  readonly #pending = new Map<number, Pending>();
  /** The table that came last. */
  #finished: { transaction: number; transfer: TableTransfer } | undefined;
  /** The lower half of the next transaction's number. ibsim keeps 48 bits of the whole. */
  #transaction: number;

  constructor(port: ManagementPort, patience: Partial<Patience> = {}) {
    this.#port = port;
    this.#patience = { ...PATIENCE, ...patience };
    // Answers to a client before this one must not be taken for ours.
    this.#transaction = Math.floor(Math.random() * 2 ** 32);
    port.onMad = (mad, slid) => this.#receive(mad, slid);
  }

  /** The way to a port, or to a multicast group. Rejects with FabricError: status 0x0300 says that there is none. */
  async path(to: Uint8Array, more: Partial<PathRecord> = {}): Promise<PathRecord> {
    const asked = { dgid: to, sgid: this.#port.gid, reversible: 1, pathCount: 1, ...more };
    return await this.#ask(METHOD.get, SA_ATTRIBUTE.pathRecord, PATH_RECORD, asked);
  }

  /** The group, as its members share it. Rejects with FabricError: status 0x0300 says that there is none. */
  async group(mgid: Uint8Array): Promise<McMemberRecord> {
    return await this.#ask(METHOD.get, SA_ATTRIBUTE.mcMemberRecord, MC_MEMBER_RECORD, { mgid });
  }

  /**
   * All members of a group, or of all groups, which the administrator tells those who know its key (IBA vol 1, 15.4.1.2: a
   * trusted request; OpenSM's `sa_key`). It does not answer who has another key. Rejects with FabricError.
   */
  async members(smKey: bigint, mgid?: Uint8Array): Promise<Members> {
    const asked = mgid === undefined ? {} : { mgid };
    const { mad, transaction } = this.#request(METHOD.getTable, SA_ATTRIBUTE.mcMemberRecord, MC_MEMBER_RECORD, asked);
    setSmKey(mad, 0, smKey);
    const transfer = await this.#collect(mad, transaction, SA_ATTRIBUTE.mcMemberRecord);
    return { records: transfer.records(MC_MEMBER_RECORD), more: transfer.state === "cut" };
  }

  /**
   * Makes the port a member; a full member (joinState 1) makes the group where there is none, if `more` has P_Key, Q_Key,
   * service level, flow label and traffic class. What a membership has already is no error. Rejects with FabricError.
   */
  async join(mgid: Uint8Array, joinState: number, more: Partial<McMemberRecord> = {}): Promise<McMemberRecord> {
    const asked = { mgid, portGid: this.#port.gid, joinState, ...more };
    return await this.#ask(METHOD.set, SA_ATTRIBUTE.mcMemberRecord, MC_MEMBER_RECORD, asked);
  }

  /** Ends a membership. Rejects with FabricError: status 0x0200 says that there was none. */
  async leave(mgid: Uint8Array, joinState: number): Promise<void> {
    const asked = { mgid, portGid: this.#port.gid, joinState };
    await this.#ask(METHOD.delete, SA_ATTRIBUTE.mcMemberRecord, MC_MEMBER_RECORD, asked);
  }

  /** The service that has what is given. Rejects with FabricError: status 0x0300 says that there is none, 0x0400 several. */
  async service(asked: Partial<ServiceRecord>): Promise<ServiceRecord> {
    return await this.#ask(METHOD.get, SA_ATTRIBUTE.serviceRecord, SERVICE_RECORD, asked);
  }

  /**
   * Registers a service for its lease, once more where it is registered: id, GID and P_Key tell services apart (IBA vol 1,
   * 15.2.5.14). Rejects with FabricError.
   */
  async register(service: Partial<ServiceRecord>): Promise<ServiceRecord> {
    return await this.#ask(METHOD.set, SA_ATTRIBUTE.serviceRecord, SERVICE_RECORD, service);
  }

  /** Ends a registration. Rejects with FabricError: status 0x0300 says that there was none. */
  async unregister({ serviceId, serviceGid, pKey }: ServiceKey): Promise<void> {
    await this.#ask(METHOD.delete, SA_ATTRIBUTE.serviceRecord, SERVICE_RECORD, { serviceId, serviceGid, pKey });
  }

  /** Asks for reports of a trap: TRAP.groupCreated, TRAP.groupDeleted. Rejects with FabricError. */
  async subscribe(trap: number): Promise<void> {
    const all = { lidBegin: ALL_16, type: ALL_16, producerType: ALL_PRODUCERS };
    const asked = { ...all, isGeneric: 1, subscribe: 1, trap, qpn: 1, responseTime: RESPONSE_TIME };
    await this.#ask(METHOD.set, SA_ATTRIBUTE.informInfo, INFORM_INFO, asked);
  }

  async #ask<L extends Layout>(
    method: number,
    attribute: number,
    layout: L,
    values: Partial<RecordOf<L>>,
  ): Promise<RecordOf<L>> {
    const { mad, transaction } = this.#request(method, attribute, layout, values);
    const answer = await this.#exchange(mad, transaction, attribute);
    refuseStatus(answer);
    return readRecord(layout, answer, SA_DATA);
  }

  #request<L extends Layout>(
    method: number,
    attribute: number,
    layout: L,
    values: Partial<RecordOf<L>>,
  ): { mad: Uint8Array; transaction: number } {
    const transaction = this.#transaction;
    this.#transaction = (transaction + 1) >>> 0;
    const mad = new Uint8Array(MAD_BYTES);
    writeSaHeader(mad, Object.assign(new MadHeader(), { method, attribute, tidLow: transaction }));
    writeSaBody(layout, mad, 0, values);
    return { mad, transaction };
  }

  async #exchange(mad: Uint8Array, transaction: number, attribute: number): Promise<Uint8Array> {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    this.#pending.set(transaction, { attribute, answer: resolve });
    try {
      return await this.#insist(mad, promise);
    } finally {
      this.#pending.delete(transaction);
    }
  }

  /** Sends a request again and again until it is answered. Rejects with FabricError when it is not. */
  async #insist<T>(mad: Uint8Array, answered: Promise<T>): Promise<T> {
    const answer = await askAgain(this.#patience, answered, async () => {
      // The manager may have moved since the last try, or have moved this port.
      const { smLid } = await this.#port.place();
      if (smLid !== 0) this.#port.send(mad, smLid);
    });
    if (answer !== undefined) return answer;
    const { timeoutMs, attempts } = this.#patience;
    throw new FabricError(`the subnet administrator did not answer in ${timeoutMs * attempts} ms`);
  }

  /** The answer to a request for a table, of however many datagrams. */
  async #collect(mad: Uint8Array, transaction: number, attribute: number): Promise<TableTransfer> {
    const transfer = new TableTransfer(MOST_SEGMENTS);
    const begun = Promise.withResolvers<true>();
    const over = Promise.withResolvers<true>();
    let from = 0;
    const say = (answer: Uint8Array | undefined): void => {
      if (answer !== undefined) this.#port.send(answer, from);
    };
    const answer = (part: Uint8Array, slid: number): void => {
      from = slid;
      try {
        refuseStatus(part);
        if (!readSaHeader(part, 0).rmppActive) throw new FabricError("the answer is no table");
        say(transfer.take(part));
        begun.resolve(true);
        if (transfer.state !== "open") over.resolve(true);
      } catch (error) {
        begun.reject(error);
        over.reject(error);
      }
    };
    // An error may come before anybody waits for it.
    for (const { promise } of [begun, over]) promise.catch(() => {});
    this.#pending.set(transaction, { attribute, answer });
    try {
      await this.#insist(mad, begun.promise);
      const { timeoutMs, attempts } = this.#patience;
      for (let idle = 0; transfer.state === "open";) {
        const before = transfer.count;
        await askAgain({ timeoutMs, attempts: 1 }, over.promise, () => {});
        if (transfer.count > before) idle = 0;
        // The request is not repeated, as another answer would come between: what has come is acknowledged again.
        else say(++idle < attempts ? transfer.acknowledgement() : transfer.abandon());
      }
    } finally {
      // Segments that come again are acknowledged, so that the sender ends as well.
      this.#finished = { transaction, transfer };
      this.#pending.delete(transaction);
    }
    if (transfer.state === "failed") throw new FabricError(`the table did not come whole: ${transfer.why}`);
    return transfer;
  }

  #receive(mad: Uint8Array, slid: number): void {
    if (mad.length !== MAD_BYTES) return;
    const header = readHeader(mad);
    if (header.managementClass !== MANAGEMENT_CLASS.sa) return this.onOther(mad, slid);
    if (header.answer) {
      const pending = this.#pending.get(header.tidLow);
      if (pending !== undefined) this.heardMs = performance.now();
      if (pending?.attribute === header.attribute) pending.answer(mad, slid);
      else if (this.#finished?.transaction === header.tidLow) this.#repeat(this.#finished.transfer, mad, slid);
      return;
    }
    if (header.method !== METHOD.report || header.attribute !== SA_ATTRIBUTE.notice) return;
    // Unanswered, it would come again; the answer repeats it.
    const answer = mad.slice();
    writeSaHeader(answer, Object.assign(header, { answer: true }));
    this.#port.send(answer, slid);
    this.onNotice(readRecord(NOTICE, mad, SA_DATA));
  }

  #repeat(transfer: TableTransfer, mad: Uint8Array, slid: number): void {
    if (!readSaHeader(mad, 0).rmppActive) return;
    const answer = transfer.take(mad);
    if (answer !== undefined) this.#port.send(answer, slid);
  }
}

/** Throws FabricError where an answer is a refusal. */
function refuseStatus(answer: Uint8Array): void {
  const { status } = readHeader(answer);
  if (status !== 0) throw new FabricError(`the subnet administrator says: ${describeStatus(status)}`, status);
}

function readHeader(mad: Uint8Array): MadHeader {
  const header = new MadHeader();
  readMadHeader(mad, 0, header);
  return header;
}

function writeSaHeader(mad: Uint8Array, header: MadHeader): void {
  header.managementClass = MANAGEMENT_CLASS.sa;
  header.classVersion = SA_CLASS_VERSION;
  writeMadHeader(mad, 0, header);
}
