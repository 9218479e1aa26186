import { constants, crc32, deflateRawSync, gzipSync } from 'node:zlib';

/** How a gzip member departs from a plain single stream. Several may be combined. */
export interface GzipOptions {
  readonly level?: number;
  /** How many gzip streams the JSON is spread over, cut at line ends where there are any. */
  readonly streams?: number;
  /** How many zero bytes follow the last stream. */
  readonly padding?: number;
  /** One bit in the middle of the compressed data is wrong. */
  readonly flipped?: boolean;
  /** Only the first half of the bytes is there. */
  readonly half?: boolean;
}

/** Compresses `json` as Amplitude does, or with the given departures from it. */
export function gzipMember(json: Buffer, options: GzipOptions = {}): Buffer {
  const { level = 6, streams = 1, padding = 0 } = options;
  const pieces = Array.from({ length: streams }, (_, index) =>
    json.subarray(cutAt(json, index / streams), cutAt(json, (index + 1) / streams)),
  );
  const member = Buffer.concat([...pieces.map((piece) => gzipSync(piece, { level })), Buffer.alloc(padding)]);
  const middle = Math.floor(member.length / 2);
  if (options.flipped === true) member.writeUInt8(member.readUInt8(middle) ^ 0x10, middle);
  return options.half === true ? member.subarray(0, middle) : member;
}

function cutAt(json: Buffer, share: number): number {
  if (share === 0 || share === 1) return share * json.length;
  const wanted = Math.floor(json.length * share);
  const lineEnd = json.indexOf(0x0a, wanted);
  return lineEnd === -1 ? wanted : lineEnd + 1;
}

/** One gzip stream of `block` repeated. It is compressed once: a gigabyte of JSON costs little more than its checksum. */
export function* gzipRepeated(block: Buffer, times: number, level = 6): Generator<Buffer> {
  // After a full flush the bytes mean the same wherever they stand in a stream.
  const deflated = deflateRawSync(block, { level, finishFlush: constants.Z_FULL_FLUSH });
  yield Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
  let crc = 0;
  for (let round = 0; round < times; round++) {
    crc = crc32(block, crc);
    yield deflated;
  }
  const emptyLastBlock = Buffer.from([0x03, 0x00]);
  const trailer = Uint32Array.of(crc, block.length * times);
  yield Buffer.concat([emptyLastBlock, Buffer.from(trailer.buffer)]);
}
