import { Random } from './random.ts';

/** The fields of an event that stay the same for one user, as JSON text. */
export interface Person {
  readonly amplitudeId: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly place: Place;
  readonly device: Device;
  readonly properties: string;
  readonly ip: string;
}

interface Place {
  readonly city: string;
  readonly country: string;
  readonly region: string;
  readonly dma: string;
  readonly language: string;
  readonly lat: string;
  readonly lng: string;
}

interface Device {
  readonly platform: string;
  readonly library: string;
  readonly osName: string;
  readonly osVersion: string;
  readonly brand: string;
  readonly maker: string;
  readonly model: string;
  readonly type: string;
  readonly carrier: string;
}

type Row = readonly (string | number | null)[];

function place(...row: Row): Place {
  const [
    city = 'null',
    country = 'null',
    region = 'null',
    dma = 'null',
    language = 'null',
    lat = 'null',
    lng = 'null',
  ] = row.map((value) => JSON.stringify(value));
  return { city, country, region, dma, language, lat, lng };
}

function device(...row: Row): Device {
  const [
    platform = 'null',
    library = 'null',
    osName = 'null',
    osVersion = 'null',
    brand = 'null',
    maker = 'null',
    model = 'null',
    type = 'null',
    carrier = 'null',
  ] = row.map((value) => JSON.stringify(value));
  return {
    platform,
    library,
    osName,
    osVersion,
    brand,
    maker,
    model,
    type,
    carrier,
  };
}

const PLACES: readonly [Place, ...Place[]] = [
  place('São Paulo', 'Brazil', 'São Paulo', null, 'Portuguese', -23.5505, -46.6333),
  place('東京', 'Japan', '東京都', null, 'Japanese', 35.6762, 139.6503),
  place('San Francisco', 'United States', 'California', 'San Francisco-Oakland-San Jose, CA', 'English', null, null),
  place('New York', 'United States', 'New York', 'New York, NY', 'English', 40.7128, -74.006),
  place('Zürich', 'Switzerland', 'Zürich', null, 'German', null, null),
  place('Kraków', 'Poland', 'Lesser Poland', null, 'Polish', 50.0647, 19.945),
  place('İstanbul', 'Türkiye', 'İstanbul', null, 'Turkish', null, null),
  place('Київ', 'Ukraine', 'Kyiv City', null, 'Ukrainian', null, null),
  place('القاهرة', 'Egypt', 'Cairo Governorate', null, 'Arabic', 30.0444, 31.2357),
  place('Lagos', 'Nigeria', 'Lagos', null, 'English', null, null),
  place("L'Haÿ-les-Roses", 'France', 'Île-de-France', null, 'French', null, null),
  place(null, 'India', '', null, 'English', null, null),
  place(null, null, null, null, null, null, null),
];

const DEVICES: readonly [Device, ...Device[]] = [
  device('iOS', 'amplitude-swift/1.11.3', 'ios', '18.6', 'Apple', 'Apple', 'iPhone 16 Pro', 'Apple iPhone', 'Vivo'),
  device('iOS', 'amplitude-swift/1.11.3', 'ios', '17.7.2', 'Apple', 'Apple', 'iPad Air 5', 'Apple iPad', null),
  device(
    'Android',
    'amplitude-analytics-android/1.20.7',
    'android',
    '15',
    'samsung',
    'samsung',
    'SM-S928B',
    'Samsung Galaxy Phone',
    'NTT DOCOMO',
  ),
  device(
    'Android',
    'amplitude-analytics-android/1.20.7',
    'android',
    '13',
    'Xiaomi',
    'Xiaomi',
    'Redmi Note 12',
    'Xiaomi Redmi Note',
    '',
  ),
  device('Web', 'amplitude-ts/2.11.9', 'Chrome', '131', null, null, 'Windows', 'Windows', null),
  device('Web', 'amplitude-ts/2.11.9', 'Safari', '18.1', null, 'Apple', 'Mac', 'Mac', null),
  device(null, 'http/2.0', null, '', null, null, null, null, null),
];

const PLANS = ['free', 'plus', 'growth ✨', 'enterprise'] as const;

const POPULATION = 5000;

/** The users of the project of `seed`: the same number is the same person in every hour. */
export function population(seed: number): (random: Random) => Person {
  const known = new Map<number, Person>();
  return (random) => {
    // The square makes few people frequent and most of them rare.
    const number = Math.floor(random.fraction() ** 2 * POPULATION);
    const person = known.get(number) ?? personOf(seed, number);
    known.set(number, person);
    return person;
  };
}

function personOf(seed: number, number: number): Person {
  const random = new Random(seed, number, 0x70656f70);
  const anonymous = random.chance(0.3);
  return {
    amplitudeId: random.longInteger(),
    userId: anonymous ? 'null' : `"user-${(10_000 + number).toString()}@example.com"`,
    deviceId: random.chance(0.02) ? 'null' : `"${random.uuid()}"`,
    place: random.pick(PLACES),
    device: random.pick(DEVICES),
    properties:
      anonymous && random.chance(0.5)
        ? '{}'
        : `{"plan":"${random.pick(PLANS)}","seats":${random.below(40).toString()},"account_id":${random.longInteger()},"tags":["beta","日本語","🦄"],"preferences":{"newsletter":${random.chance(0.5).toString()},"theme":{"name":"dark","accent":null}}}`,
    ip: random.chance(0.1)
      ? `"2001:db8::${random.below(65_536).toString(16)}"`
      : `"203.0.113.${random.below(256).toString()}"`,
  };
}
