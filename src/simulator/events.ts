import { type Hour, startOf } from '../hours.ts';
import { type Person, population } from './people.ts';
import { Random, THREE_DIGITS } from './random.ts';

/** One member's worth of events: everything about it follows from these values. */
export interface Part {
  readonly seed: number;
  readonly project: string;
  readonly hour: Hour;
  readonly index: number;
  readonly events: number;
}

interface Action {
  readonly type: string;
  readonly properties: (random: Random) => string;
}

const CHUNK_BYTES = 64 * 1024;
/** No event is longer than that. */
const LINE_BYTES = 8 * 1024;

const ACTIONS: readonly [Action, ...Action[]] = [
  { type: 'session_start', properties: () => '{}' },
  {
    type: '[Amplitude] Page Viewed',
    properties: (random) =>
      `{"[Amplitude] Page Path":"/produtos/${random.below(900).toString()}","[Amplitude] Page Title":"Ação & “Reação” — 第${random.below(9).toString()}章","referrer":null}`,
  },
  {
    type: 'Search Performed',
    properties: (random) =>
      `{"query":"café \\"crème\\" \\\\ ${random.hex()}","results":${random.below(300).toString()},"filters":[{"field":"price","range":[0,${random.below(100).toString()}.50]},{"field":"colour","any":["azul","青"]}]}`,
  },
  {
    type: 'Order Completed',
    properties: (random) =>
      `{"order_id":${random.longInteger()},"revenue":${random.below(500).toString()}.${random.below(10).toString()}0,"currency":"BRL","items":[{"sku":"SKU-${random.hex()}","quantity":${(1 + random.below(4)).toString()},"name":"Pão de queijo 🧀"},{"sku":"SKU-${random.hex()}","quantity":1,"name":null}],"coupon":""}`,
  },
  {
    type: 'Song Played 🎵',
    properties: (random) =>
      `{"title":"さくら","seconds":${random.below(400).toString()},"shuffle":${random.chance(0.5).toString()}}`,
  },
  {
    type: 'Message Sent',
    // Raw U+2028 is legal inside JSON, and a line end to whoever splits lines by the Unicode rules.
    properties: (random) =>
      `{"text":"first line${random.chance(0.2) ? '\u2028' : ' '}second line 👩‍👩‍👧","length":${random.below(2000).toString()},"draft":false}`,
  },
];

/**
 * The lines of `part`, in chunks of whole lines.
 *
 * Numbers are written as digits and never pass through a JavaScript number, which would round the 19-digit ones.
 */
export function* linesOf(part: Part): Generator<Buffer> {
  const random = new Random(part.seed, part.hour, part.index + 1);
  const someone = population(part.seed);
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let length = 0;
  for (let at = 0; at < part.events; at++) {
    const uploaded = Math.floor(((at + random.fraction()) / part.events) * 3_599_999);
    length += chunk.write(`${eventLine(part, at, uploaded, someone(random), random)}\n`, length);
    if (length > CHUNK_BYTES - LINE_BYTES) {
      yield chunk.subarray(0, length);
      chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      length = 0;
    }
  }
  if (length > 0) yield chunk.subarray(0, length);
}

const MINUTE = 60_000;
const minutes = new Map<number, string>();

/** `"2026-11-20 05:12:01.123456"` */
function timestamp(milliseconds: number, random: Random): string {
  const minute = Math.floor(milliseconds / MINUTE);
  let head = minutes.get(minute);
  if (head === undefined) {
    const iso = new Date(minute * MINUTE).toISOString();
    head = `"${iso.slice(0, 10)} ${iso.slice(11, 17)}`;
    if (minutes.size > 20_000) minutes.clear();
    minutes.set(minute, head);
  }
  const left = milliseconds - minute * MINUTE;
  const seconds = THREE_DIGITS[Math.floor(left / 1000)]?.slice(1);
  return `${head}${seconds}.${THREE_DIGITS[left % 1000]}${random.threeDigits()}"`;
}

function eventLine(part: Part, at: number, uploadedInHour: number, person: Person, random: Random): string {
  const uploaded = startOf(part.hour).getTime() + uploadedInHour;
  const received = uploaded - random.below(4000);
  const sent = received - random.below(900);
  // Most events come at once, some after days without a network, and a few from a clock that runs ahead.
  const age = random.chance(0.03)
    ? random.below(5 * 86_400_000)
    : random.chance(0.01)
      ? -random.below(86_400_000)
      : random.below(30_000);
  const happened = timestamp(sent - age, random);
  const { place, device } = person;
  const action = random.pick(ACTIONS);
  const insertId = random.chance(0.05) ? 'null' : `"${random.uuid()}"`;
  const session = random.chance(0.1) ? '-1' : (sent - age).toString();
  return `{"$insert_id":${insertId},"$insert_key":null,"$schema":null,"adid":null,"amplitude_attribution_ids":null,"amplitude_event_type":null,"amplitude_id":${person.amplitudeId},"app":${part.project},"city":${place.city},"client_event_time":${happened},"client_upload_time":${timestamp(sent, random)},"country":${place.country},"data":{"path":"/2/httpapi","first_event":${(at % 50 === 0).toString()},"merged_amplitude_id":${random.chance(0.02) ? random.longInteger() : 'null'}},"data_type":"event","device_brand":${device.brand},"device_carrier":${device.carrier},"device_family":${device.type},"device_id":${person.deviceId},"device_manufacturer":${device.maker},"device_model":${device.model},"device_type":${device.type},"dma":${place.dma},"event_id":${(at + 1).toString()},"event_properties":${action.properties(random)},"event_time":${happened},"event_type":"${action.type}","global_user_properties":null,"group_properties":${random.chance(0.1) ? '{"company":{"Ünïcode GmbH":{"tier":3}}}' : '{}'},"groups":${random.chance(0.1) ? '{"company":["Ünïcode GmbH"]}' : '{}'},"idfa":null,"ip_address":${person.ip},"is_attribution_event":null,"language":${place.language},"library":${device.library},"location_lat":${place.lat},"location_lng":${place.lng},"os_name":${device.osName},"os_version":${device.osVersion},"partner_id":null,"paying":${random.chance(0.2) ? 'true' : 'null'},"plan":{"branch":"main","source":"web","version":"12"},"platform":${device.platform},"processed_time":${timestamp(uploaded + random.below(60_000), random)},"region":${place.region},"sample_rate":null,"server_received_time":${timestamp(received, random)},"server_upload_time":${timestamp(uploaded, random)},"session_id":${session},"source_id":null,"start_version":"3.1.0","user_creation_time":null,"user_id":${person.userId},"user_properties":${person.properties},"uuid":"${random.uuid()}","version_name":"4.27.${random.below(4).toString()}"}`;
}
