import { type Hour, startOf } from '../hours.ts';
import { Random } from './random.ts';

/** One member's worth of events: everything about it follows from these values. */
export interface Part {
  readonly seed: number;
  readonly project: string;
  readonly hour: Hour;
  readonly index: number;
  readonly events: number;
}

// Values are JSON text from the start: numbers of 19 digits would be rounded as JavaScript numbers.
const PLACES = table(
  ['city', 'country', 'region', 'dma', 'language', 'lat', 'lng'],
  `"São Paulo" | "Brazil" | "São Paulo" | null | "Portuguese" | -23.5505 | -46.6333
   "東京" | "Japan" | "東京都" | null | "Japanese" | 35.6762 | 139.6503
   "San Francisco" | "United States" | "California" | "San Francisco-Oakland-San Jose, CA" | "English" | null | null
   "New York" | "United States" | "New York" | "New York, NY" | "English" | 40.7128 | -74.006
   "Zürich" | "Switzerland" | "Zürich" | null | "German" | null | null
   "Kraków" | "Poland" | "Lesser Poland" | null | "Polish" | 50.0647 | 19.945
   "İstanbul" | "Türkiye" | "İstanbul" | null | "Turkish" | null | null
   "Київ" | "Ukraine" | "Kyiv City" | null | "Ukrainian" | null | null
   "القاهرة" | "Egypt" | "Cairo Governorate" | null | "Arabic" | 30.0444 | 31.2357
   "Lagos" | "Nigeria" | "Lagos" | null | "English" | null | null
   "L'Haÿ-les-Roses" | "France" | "Île-de-France" | null | "French" | null | null
   null | "India" | "" | null | "English" | null | null
   null | null | null | null | null | null | null`,
);

const DEVICES = table(
  ['platform', 'library', 'osName', 'osVersion', 'brand', 'maker', 'model', 'type', 'carrier'],
  `"iOS" | "amplitude-swift/1.11.3" | "ios" | "18.6" | "Apple" | "Apple" | "iPhone 16 Pro" | "Apple iPhone" | "Vivo"
   "iOS" | "amplitude-swift/1.11.3" | "ios" | "17.7.2" | "Apple" | "Apple" | "iPad Air 5" | "Apple iPad" | null
   "Android" | "amplitude-analytics-android/1.20.7" | "android" | "15" | "samsung" | "samsung" | "SM-S928B" | "Samsung Galaxy Phone" | "NTT DOCOMO"
   "Android" | "amplitude-analytics-android/1.20.7" | "android" | "13" | "Xiaomi" | "Xiaomi" | "Redmi Note 12" | "Xiaomi Redmi Note" | ""
   "Web" | "amplitude-ts/2.11.9" | "Chrome" | "131" | null | null | "Windows" | "Windows" | null
   "Web" | "amplitude-ts/2.11.9" | "Safari" | "18.1" | null | "Apple" | "Mac" | "Mac" | null
   null | "http/2.0" | null | "" | null | null | null | null | null`,
);

function table<Column extends string>(columns: readonly Column[], rows: string) {
  return rows.split('\n').map((row) => {
    const cells = row.trim().split(' | ');
    return Object.fromEntries(columns.map((column, nth) => [column, cells[nth]])) as Record<Column, string>;
  });
}

const PLANS = ['free', 'plus', 'growth ✨', 'enterprise'];
const POPULATION = 5000;
const PEOPLE_STREAM = 0x70656f70;

/** The users of the project of `seed`: the same number is the same person in every hour. */
function population(seed: number): (random: Random) => Person {
  const known = new Map<number, Person>();
  return (random) => {
    // The square makes few people frequent and most of them rare.
    const number = Math.floor(random.fraction() ** 2 * POPULATION);
    const person = known.get(number) ?? personOf(new Random(seed, number, PEOPLE_STREAM), number);
    known.set(number, person);
    return person;
  };
}

type Person = ReturnType<typeof personOf>;

/** The fields of an event that stay the same for one user. */
function personOf(random: Random, number: number) {
  const anonymous = random.chance(0.3);
  return {
    amplitudeId: random.longInteger(),
    userId: anonymous ? 'null' : `"user-${10_000 + number}@example.com"`,
    deviceId: random.chance(0.02) ? 'null' : `"${random.uuid()}"`,
    place: random.pick(PLACES),
    device: random.pick(DEVICES),
    properties:
      anonymous && random.chance(0.5)
        ? '{}'
        : `{"plan":"${random.pick(PLANS)}","seats":${random.below(40)},"account_id":${random.longInteger()},"tags":["beta","日本語","🦄"],"preferences":{"newsletter":${random.chance(0.5)},"theme":{"name":"dark","accent":null}}}`,
    ip: random.chance(0.1) ? `"2001:db8::${random.below(65_536).toString(16)}"` : `"203.0.113.${random.below(256)}"`,
  };
}

/** Types of events, each with its properties. */
const ACTIONS = Object.entries<(random: Random) => string>({
  session_start: () => '{}',
  '[Amplitude] Page Viewed': (random) =>
    `{"[Amplitude] Page Path":"/produtos/${random.below(900)}","[Amplitude] Page Title":"Ação & “Reação” — 第${random.below(9)}章","referrer":null}`,
  'Search Performed': (random) =>
    `{"query":"café \\"crème\\" \\\\ ${random.hex()}","results":${random.below(300)},"filters":[{"field":"price","range":[0,${random.below(100)}.50]},{"field":"colour","any":["azul","青"]}]}`,
  'Order Completed': (random) =>
    `{"order_id":${random.longInteger()},"revenue":${random.below(500)}.${random.below(10)}0,"currency":"BRL","items":[{"sku":"SKU-${random.hex()}","quantity":${1 + random.below(4)},"name":"Pão de queijo 🧀"},{"sku":"SKU-${random.hex()}","quantity":1,"name":null}],"coupon":""}`,
  'Song Played 🎵': (random) => `{"title":"さくら","seconds":${random.below(400)},"shuffle":${random.chance(0.5)}}`,
  // Raw U+2028 is legal inside JSON, and a line end to whoever splits lines by the Unicode rules.
  'Message Sent': (random) =>
    `{"text":"first line${random.chance(0.2) ? '\u2028' : ' '}second line 👩‍👩‍👧","length":${random.below(2000)},"draft":false}`,
});

const CHUNK_CHARACTERS = 64 * 1024;

/** The lines of `part`, in chunks of whole lines. */
export function* linesOf(part: Part): Generator<Buffer> {
  const random = new Random(part.seed, part.hour, part.index + 1);
  const someone = population(part.seed);
  let chunk = '';
  for (let nth = 0; nth < part.events; nth++) {
    const uploaded = Math.floor(((nth + random.fraction()) / part.events) * 3_599_999);
    chunk += `${eventLine(part, nth, startOf(part.hour).getTime() + uploaded, someone(random), random)}\n`;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    yield Buffer.from(chunk);
    chunk = '';
  }
  if (chunk !== '') yield Buffer.from(chunk);
}

function eventLine(part: Part, nth: number, uploaded: number, person: Person, random: Random): string {
  const received = uploaded - random.below(4000);
  const sent = received - random.below(900);
  const happened = sent - ageOf(random);
  const eventTime = timestamp(happened, random);
  const { place, device } = person;
  const [type, properties] = random.pick(ACTIONS);
  const insertId = random.chance(0.05) ? 'null' : `"${random.uuid()}"`;
  const session = random.chance(0.1) ? -1 : happened;
  return `{"$insert_id":${insertId},"$insert_key":null,"$schema":null,"adid":null,"amplitude_attribution_ids":null,"amplitude_event_type":null,"amplitude_id":${person.amplitudeId},"app":${part.project},"city":${place.city},"client_event_time":${eventTime},"client_upload_time":${timestamp(sent, random)},"country":${place.country},"data":{"path":"/2/httpapi","first_event":${nth % 50 === 0},"merged_amplitude_id":${random.chance(0.02) ? random.longInteger() : 'null'}},"data_type":"event","device_brand":${device.brand},"device_carrier":${device.carrier},"device_family":${device.type},"device_id":${person.deviceId},"device_manufacturer":${device.maker},"device_model":${device.model},"device_type":${device.type},"dma":${place.dma},"event_id":${nth + 1},"event_properties":${properties(random)},"event_time":${eventTime},"event_type":"${type}","global_user_properties":null,"group_properties":${random.chance(0.1) ? '{"company":{"Ünïcode GmbH":{"tier":3}}}' : '{}'},"groups":${random.chance(0.1) ? '{"company":["Ünïcode GmbH"]}' : '{}'},"idfa":null,"ip_address":${person.ip},"is_attribution_event":null,"language":${place.language},"library":${device.library},"location_lat":${place.lat},"location_lng":${place.lng},"os_name":${device.osName},"os_version":${device.osVersion},"partner_id":null,"paying":${random.chance(0.2) ? 'true' : 'null'},"plan":{"branch":"main","source":"web","version":"12"},"platform":${device.platform},"processed_time":${timestamp(uploaded + random.below(60_000), random)},"region":${place.region},"sample_rate":null,"server_received_time":${timestamp(received, random)},"server_upload_time":${timestamp(uploaded, random)},"session_id":${session},"source_id":null,"start_version":"3.1.0","user_creation_time":null,"user_id":${person.userId},"user_properties":${person.properties},"uuid":"${random.uuid()}","version_name":"4.27.${random.below(4)}"}`;
}

/** Most events are sent at once, some after days without a network, and a few from a clock that runs ahead. */
function ageOf(random: Random): number {
  if (random.chance(0.03)) return random.below(5 * 86_400_000);
  if (random.chance(0.01)) return -random.below(86_400_000);
  return random.below(30_000);
}

/** `"2026-11-20 05:12:01.123456"` */
function timestamp(milliseconds: number, random: Random): string {
  const iso = new Date(milliseconds).toISOString();
  return `"${iso.slice(0, 10)} ${iso.slice(11, 23)}${random.threeDigits()}"`;
}
