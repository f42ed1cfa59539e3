// Owns the sending end of a table in several datagrams, for tests (RMPP; IBA vol 1, 13.6.5; as Linux mad_rmpp.c does it).
import { MAD_BYTES, MadHeader, METHOD, readMadHeader, writeMadHeader } from "../../codec/mad.ts";
import { writeRecord } from "../../codec/record.ts";
import {
  readRmpp,
  RMPP_DATA_BYTES,
  RMPP_FLAG,
  RMPP_TYPE,
  RMPP_VERSION,
  RmppHeader,
  writeRmpp,
} from "../../codec/rmpp.ts";
import { SA_DATA, SA_DATA_BYTES, setAttributeOffset } from "../../codec/sa.ts";
import { MC_MEMBER_RECORD } from "../../codec/sa-records.ts";
import type { McMemberRecord } from "../../codec/sa-records.ts";

/** From one record to the next: OpenSM's take whole words of 8 bytes. */
const STEP = 56;

export class TableSender {
  readonly segments: Uint8Array[];
  /** Up to which segment it may send. */
  window = 1;
  acknowledged = 0;
  /** How the receiver ended it, by the type of RMPP and its status. */
  ended: [type: number, status: number] | undefined;

  /** The answer to a request: MCMemberRecords. */
  constructor(request: Uint8Array, records: readonly Partial<McMemberRecord>[]) {
    const bytes = new Uint8Array(Math.max(records.length * STEP, 0));
    for (const [i, record] of records.entries()) writeRecord(MC_MEMBER_RECORD, bytes, i * STEP, record);
    const count = Math.max(Math.ceil(bytes.length / SA_DATA_BYTES), 1);
    this.segments = Array.from({ length: count }, (_, i) => segmentOf(request, bytes, i + 1, count));
  }

  get done(): boolean {
    return this.ended !== undefined || this.acknowledged === this.segments.length;
  }

  /** What it may send now: all that is not acknowledged, within the window. */
  due(): Uint8Array[] {
    return this.done ? [] : this.segments.slice(this.acknowledged, this.window);
  }

  take(mad: Uint8Array): void {
    const header = new RmppHeader();
    readRmpp(mad, 0, header);
    if (header.type === RMPP_TYPE.stop || header.type === RMPP_TYPE.abort) {
      this.ended ??= [header.type, header.status];
    } else if (header.type === RMPP_TYPE.ack && header.segment >= this.acknowledged) {
      this.acknowledged = header.segment;
      this.window = Math.max(this.window, header.length);
    }
  }
}

function segmentOf(request: Uint8Array, bytes: Uint8Array, number: number, count: number): Uint8Array {
  const mad = new Uint8Array(MAD_BYTES);
  const header = new MadHeader();
  readMadHeader(request, 0, header);
  writeMadHeader(mad, 0, Object.assign(header, { answer: true, method: METHOD.getTable, status: 0 }));
  const last = number === count;
  const flags = RMPP_FLAG.active | (number === 1 ? RMPP_FLAG.first : 0) | (last ? RMPP_FLAG.last : 0);
  const part = bytes.subarray((number - 1) * SA_DATA_BYTES, number * SA_DATA_BYTES);
  const length = last
    ? RMPP_DATA_BYTES - SA_DATA_BYTES + part.length
    : number === 1
      ? count * (RMPP_DATA_BYTES - SA_DATA_BYTES) + bytes.length
      : 0;
  const said = { version: RMPP_VERSION, type: RMPP_TYPE.data, flags, segment: number, length };
  writeRmpp(mad, 0, Object.assign(new RmppHeader(), said));
  setAttributeOffset(mad, 0, MC_MEMBER_RECORD);
  mad.set(part, SA_DATA);
  return mad;
}
