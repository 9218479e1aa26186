import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { buffer as readAll } from 'node:stream/consumers';
import { constants, crc32, createGunzip, gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import JSZip from 'jszip';
import yauzl from 'yauzl';
import { UsageError } from '../../src/errors.ts';
import { formatHour, type Hour, readHour } from '../../src/hours.ts';
import { gzipMember, gzipRepeated } from '../../src/simulator/gzip.ts';
import {
  eventsOfHour,
  expectedHour,
  FAULTS,
  type FaultName,
  formatFault,
  parseFault,
  runSimulator,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from '../../src/simulator/simulator.ts';
import { type ZipEntry, type ZipOptions, zip } from '../../src/simulator/zip.ts';

const NOW = new Date('2026-11-22T00:00:00Z');
const DAY = readHour('2026-11-20T00');
const KEYS = `Basic ${btoa('simulator-key:simulator-secret')}`;
const SCALE = 40;
const counts = (hour: Hour) => eventsOfHour(1, hour, SCALE);
const hours = Array.from({ length: 24 }, (_, at) => DAY + at);
/** An hour with several parts, and one without any. */
const BUSY = hours.find((hour) => counts(hour).parts.length > 1) ?? Number.NaN;
const QUIET = Array.from({ length: 240 }, (_, at) => DAY - at).find((hour) => counts(hour).events === 0) ?? Number.NaN;

interface Member {
  name: string;
  data: Buffer;
  entry: yauzl.Entry;
  crcIsRight: boolean;
}

async function unzip(archive: Buffer): Promise<Member[]> {
  const file = await yauzl.fromBufferPromise(archive, { decodeStrings: false });
  const members: Member[] = [];
  for await (const entry of file.eachEntry()) {
    const data = await readAll(await file.openReadStreamPromise(entry));
    const name = (entry.fileName as unknown as Buffer).toString();
    members.push({ name, data, entry, crcIsRight: crc32(data) === entry.crc32 });
  }
  return members;
}

async function write(entries: ZipEntry[], options?: ZipOptions): Promise<Buffer> {
  return readAll(Readable.from(zip(entries, options)));
}

const wire = (hour: Hour) => formatHour(hour).replaceAll('-', '');
const linesIn = (json: Buffer) => json.toString().split('\n').slice(0, -1);

describe('simulator', () => {
  let simulator: Simulator;

  async function start(options: SimulatorOptions = {}): Promise<void> {
    await simulator.close();
    simulator = await startSimulator({ now: () => NOW, eventsPerHour: SCALE, ...options });
  }

  beforeEach(async () => {
    simulator = await startSimulator({ now: () => NOW, eventsPerHour: SCALE });
  });

  afterEach(() => simulator.close());

  function ask(first: Hour, last = first, init: RequestInit = {}): Promise<Response> {
    const url = `${simulator.url}/api/2/export?start=${wire(first)}&end=${wire(last)}`;
    return fetch(url, { headers: { Authorization: KEYS }, redirect: 'manual', ...init });
  }

  async function archiveOf(first: Hour, last = first): Promise<Buffer> {
    const response = await ask(first, last);
    expect(response.status).to.equal(200);
    return Buffer.from(await response.arrayBuffer());
  }

  /** The members of the busy hour with one fault, and its first member's JSON without. */
  async function withFault(...names: FaultName[]): Promise<{ members: Member[]; first: Buffer; clean: Buffer }> {
    for (const name of names) simulator.faults.push({ name });
    const members = await unzip(await archiveOf(BUSY));
    const clean = expectedHour({ eventsPerHour: SCALE }, BUSY).parts[0]?.json ?? Buffer.alloc(0);
    return { members, first: members[0]?.data ?? Buffer.alloc(0), clean };
  }

  describe('data', () => {
    it('serves what expectedHour foresees, under the names of the real API', async () => {
      const members = await unzip(await archiveOf(BUSY));
      const expected = expectedHour({ eventsPerHour: SCALE }, BUSY);
      expect(members.map(({ name }) => name)).to.deep.equal(expected.parts.map(({ name }) => name));
      expect(members[0]?.name).to.match(/^100011471\/100011471_2026-11-20_\d{1,2}#0\.json\.gz$/);
      expect(members[0]?.name).not.to.match(/_0\d#/);
      for (const [at, { data, crcIsRight, entry }] of members.entries()) {
        expect(crcIsRight).to.equal(true);
        expect(entry.compressionMethod).to.equal(0);
        expect(gunzipSync(data).equals(expected.parts[at]?.json ?? Buffer.alloc(0))).to.equal(true);
      }
      const lines = expected.parts.flatMap(({ json }) => linesIn(json));
      expect(lines).to.have.length(expected.events);
      expect(counts(BUSY).events).to.equal(expected.events);
    });

    it('gives an hour the same bytes in every window, and other bytes for another seed', async () => {
      const alone = await unzip(await archiveOf(BUSY));
      const inDay = await unzip(await archiveOf(DAY, DAY + 23));
      for (const { name, data } of alone) {
        const same = inDay.find((member) => member.name === name);
        expect(same?.data.equals(data), name).to.equal(true);
      }
      await start({ seed: 2 });
      const other = await unzip(await archiveOf(DAY, DAY + 23));
      expect(other.map(({ data }) => crc32(data))).not.to.deep.equal(inDay.map(({ data }) => crc32(data)));
    });

    it('writes whole events: every field, unicode, nulls, long integers, times inside the hour', () => {
      const { parts } = expectedHour({ eventsPerHour: 3000 }, BUSY);
      const text = Buffer.concat(parts.map(({ json }) => json)).toString();
      const lines = text.split('\n').slice(0, -1);
      const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      const fields =
        'server_received_time app device_carrier city user_id uuid event_time platform os_version amplitude_id processed_time version_name ip_address paying dma group_properties user_properties client_upload_time $insert_id event_type library amplitude_attribution_ids device_type start_version location_lng server_upload_time event_id location_lat os_name groups event_properties data device_id language country region session_id device_family sample_rate client_event_time $schema device_manufacturer amplitude_event_type device_brand device_model is_attribution_event adid idfa $insert_key data_type plan source_id partner_id global_user_properties';
      for (const event of events) {
        expect(event).to.include.all.keys(fields.split(' '));
        expect(event.server_upload_time).to.match(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/);
        expect(String(event.server_upload_time).slice(0, 13)).to.equal(formatHour(BUSY).replace('T', ' '));
      }
      expect(text).to.include('São Paulo').and.include('東京').and.include('🎵').and.include('\u2028');
      expect(new Set(events.map(({ uuid }) => uuid)).size).to.equal(events.length);
      expect(events.some(({ user_id }) => user_id === null)).to.equal(true);
      expect(events.some((event) => event.$insert_id === null)).to.equal(true);
      const ids = lines.map((line) => /"amplitude_id":(\d{19}),/.exec(line)?.[1] ?? '');
      expect(ids).not.to.include('');
      expect(ids.filter((id) => Number(id).toString() === id)).to.have.length.below(ids.length / 10);
    });

    it('has a day curve, between one and three parts, and quiet hours but never two in a row', () => {
      const many = Array.from({ length: 24 * 100 }, (_, at) => DAY + at);
      const all = many.map((hour) => eventsOfHour(1, hour, 200));
      const quiet = all.filter(({ events }) => events === 0).length;
      expect(quiet / all.length).to.be.within(0.05, 0.11);
      expect(all.some(({ events }, at) => events === 0 && all[at - 1]?.events === 0)).to.equal(false);
      expect(new Set(all.map(({ parts }) => parts.length))).to.deep.equal(new Set([0, 1, 2, 3]));
      const at = (hh: number) =>
        many.filter((hour) => hour % 24 === hh).map((hour) => eventsOfHour(1, hour, 200).events);
      const mean = (list: number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
      expect(mean(at(12))).to.be.above(3 * mean(at(3)));
      for (const { events, parts } of all) expect(parts.reduce((sum, part) => sum + part, 0)).to.equal(events);
    });

    it('leaves out hours that are not ready', async () => {
      const now = new Date((BUSY + 3) * 3_600_000);
      await start({ now: () => now });
      expect((await ask(BUSY)).status).to.equal(200);
      await start({ now: () => new Date(now.getTime() - 1) });
      expect((await ask(BUSY)).status).to.equal(404);
    });

    it('holds members deflated where told so', async () => {
      await start({ compression: 'deflated' });
      const [first] = await unzip(await archiveOf(BUSY));
      expect(first?.entry.compressionMethod).to.equal(8);
      expect(first?.crcIsRight).to.equal(true);
    });

    it('streams parts that are too large to be held', async () => {
      await start({ eventsPerHour: 20_000, gzipLevel: 1 });
      const members = await unzip(await archiveOf(BUSY));
      const expected = expectedHour({ eventsPerHour: 20_000 }, BUSY);
      expect(members[0]?.entry.generalPurposeBitFlag).to.equal(8);
      for (const [at, { data, crcIsRight }] of members.entries()) {
        expect(crcIsRight).to.equal(true);
        expect(crc32(gunzipSync(data))).to.equal(crc32(expected.parts[at]?.json ?? ''));
      }
    });

    it('makes a day of the default size in well under a second', async () => {
      await start({ eventsPerHour: 200 });
      const before = performance.now();
      await archiveOf(DAY, DAY + 23);
      expect(performance.now() - before).to.be.below(1500);
    });
  });

  describe('requests', () => {
    const status = async (query: string, headers: Record<string, string> = { Authorization: KEYS }) => {
      const response = await fetch(`${simulator.url}/api/2/export?${query}`, { headers });
      return { status: response.status, body: await response.text() };
    };

    it('wants the right pair of keys', async () => {
      const query = `start=${wire(BUSY)}&end=${wire(BUSY)}`;
      expect((await status(query, {})).status).to.equal(401);
      const refused = await status(query, { Authorization: `Basic ${btoa('simulator-key:wrong')}` });
      expect(refused.status).to.equal(403);
      expect(JSON.parse(refused.body)).to.have.nested.property('error.metadata.details', 'Invalid API Key');
    });

    it('names the parameter that it cannot take', async () => {
      const cases: [string, string][] = [
        ['', 'start'],
        ['start=20261120T05', 'end'],
        ['start=2026-11-20T05&end=20261120T05', 'start'],
        ['start=20261120T5&end=20261120T05', 'start'],
        ['start=20261120T05&end=20261120T24', 'end'],
        ['start=20260231T05&end=20261120T05', 'start'],
        ['start=20261120T05&end=20261120T04', 'end'],
        ['start=20251120T00&end=20261120T00', '365 days'],
      ];
      for (const [query, named] of cases) {
        const answer = await status(query);
        expect(answer.status, query).to.equal(400);
        expect(answer.body, query).to.include(named);
      }
      const year = await ask(readHour('2025-11-21T00'), DAY + 23);
      expect(year.status).to.equal(200);
      await year.body?.cancel();
    });

    it('tells the time of the machine, an hour off or not at all where told so', async () => {
      const date = async () => (await ask(BUSY)).headers.get('date');
      expect(Date.now() - Date.parse((await date()) ?? '')).to.be.within(0, 5000);
      for (const [name, told] of [
        ['clock-ahead', 60],
        ['clock-behind', -60],
        ['no-date', null],
      ] as const) {
        simulator.faults.splice(0, 1, { name });
        const said = await date();
        const minutes = said === null ? null : Math.round((Date.parse(said) - Date.now()) / 60_000);
        expect(minutes, name).to.equal(told);
      }
      simulator.faults.push({ name: 'server-error' });
      expect(await date()).to.equal(null);
    });

    it('answers 404 for an hour without data', async () => {
      expect((await ask(QUIET)).status).to.equal(404);
    });

    it('finds windows above tooLargeHours too large', async () => {
      await start({ tooLargeHours: 6 });
      expect((await ask(DAY, DAY + 5)).status).to.equal(200);
      const refused = await ask(DAY, DAY + 6);
      expect(refused.status).to.equal(400);
      expect(await refused.text()).to.include('4 GB');
    });

    it('takes five at once and turns the sixth away, until one has ended', async () => {
      simulator.faults.push({ name: 'stall-first-byte', times: 5 });
      const hangUp = new AbortController();
      const five = Array.from({ length: 5 }, () => ask(BUSY, BUSY, { signal: hangUp.signal }).catch(() => undefined));
      while (simulator.requests.length < 5) await new Promise(setImmediate);
      expect((await ask(BUSY)).status).to.equal(429);
      expect(simulator.requests.at(-1)?.inFlight).to.equal(6);
      hangUp.abort();
      await Promise.all(five);
      let last = 429;
      for (let attempt = 0; attempt < 50 && last === 429; attempt++) last = (await ask(BUSY)).status;
      expect(last).to.equal(200);
    });

    it('never turns away a client that keeps to five', async () => {
      const worker = async () => {
        for (let round = 0; round < 20; round++) await archiveOf(BUSY);
      };
      await Promise.all(Array.from({ length: 5 }, worker));
      expect(simulator.requests.filter(({ status: sent }) => sent !== 200)).to.deep.equal([]);
      expect(Math.max(...simulator.requests.map(({ inFlight }) => inFlight))).to.equal(5);
    });

    it('keeps a log, and has its faults replaced, over HTTP', async () => {
      const put = (body: string) => fetch(`${simulator.url}/simulator/faults`, { method: 'PUT', body });
      simulator.faults.push({ name: 'html' });
      const accepted = await put(JSON.stringify([`server-error@${formatHour(BUSY)}*1`, 'bom']));
      expect(await accepted.json()).to.deep.equal([`server-error@${formatHour(BUSY)}*1`, 'bom']);
      expect(simulator.faults).to.deep.include({ name: 'bom' });
      expect((await ask(BUSY)).status).to.equal(500);
      expect((await ask(BUSY)).status).to.equal(200);
      const log = await (await fetch(`${simulator.url}/simulator/requests`)).json();
      const both = { at: NOW.toISOString(), start: wire(BUSY), end: wire(BUSY), inFlight: 1 };
      expect(log).to.deep.equal([
        { ...both, status: 500, fault: 'server-error' },
        { ...both, status: 200, fault: 'bom' },
      ]);
      for (const wrong of ['{', '{}', '["no-such-fault"]']) {
        const refused = await put(wrong);
        expect(refused.status, wrong).to.equal(400);
        expect(await refused.json()).to.have.property('error').that.is.not.empty;
      }
      expect(simulator.faults.map(formatFault)).to.deep.equal([`server-error@${formatHour(BUSY)}*0`, 'bom']);
      expect((await fetch(`${simulator.url}/elsewhere`)).status).to.equal(404);
    });
  });

  describe('fault specifications', () => {
    it('read every name, an hour and a number of times', () => {
      for (const name of Object.keys(FAULTS)) expect(formatFault(parseFault(name))).to.equal(name);
      expect(parseFault('reset@2026-11-20T05*2')).to.deep.equal({
        name: 'reset',
        hour: readHour('2026-11-20T05'),
        times: 2,
      });
      expect(parseFault('reset*3')).to.deep.equal({ name: 'reset', times: 3 });
    });

    it('say what is wrong', () => {
      const cases: [string, string][] = [
        ['truncated', '"truncated-'],
        ['', 'there is no fault ""'],
        ['toString', 'there is no fault "toString"'],
        ['server-eror', '"server-error"'],
        ['reset@2026-11-20', '"2026-11-20" is not an hour'],
        ['reset@', '"" is not an hour'],
        ['reset*0', '"0" is not a number of times'],
        ['reset*', '"" is not a number of times'],
        ['reset*2@2026-11-20T05', 'not a number of times'],
      ];
      for (const [spec, message] of cases) expect(() => parseFault(spec), spec).to.throw(UsageError, message);
    });

    it('fall only on windows with the hour, and only so many times', async () => {
      simulator.faults.push(parseFault(`bad-gateway@${formatHour(BUSY)}*2`));
      const asked = [BUSY + 1, BUSY - 1, BUSY, BUSY, BUSY];
      const statuses: number[] = [];
      for (const hour of asked) statuses.push((await ask(hour)).status);
      expect(statuses.slice(2)).to.deep.equal([502, 502, 200]);
      expect(statuses.slice(0, 2)).not.to.include(502);
    });

    it('with an hour change that hour and no other', async () => {
      const clean = await unzip(await archiveOf(DAY, DAY + 23));
      simulator.faults.push(parseFault(`bom@${formatHour(BUSY)}`));
      const changed = await unzip(await archiveOf(DAY, DAY + 23));
      const different = changed.filter(({ data }, at) => clean[at]?.data.equals(data) === false);
      expect(different.map(({ name }) => name)).to.deep.equal([
        expectedHour({ eventsPerHour: SCALE }, BUSY).parts[0]?.name,
      ]);
    });

    it('that need data pass by windows without', async () => {
      simulator.faults.push({ name: 'bom', times: 1 }, { name: 'slow', times: 1 });
      expect((await ask(QUIET)).status).to.equal(404);
      expect(simulator.requests[0]).not.to.have.property('fault');
    });

    it('follow one another where several replace the answer', async () => {
      simulator.faults.push({ name: 'rate-limit', times: 1 }, { name: 'unavailable', times: 1 });
      const statuses = [await ask(BUSY), await ask(BUSY), await ask(BUSY)].map(({ status }) => status);
      expect(statuses).to.deep.equal([429, 503, 200]);
    });
  });

  describe('answer faults', () => {
    const cases: [FaultName, number, RegExp][] = [
      ['bad-request', 400, /^(?!.*(start|end|format|size|GB)).{300,}/s],
      ['bad-parameter', 400, /start.*YYYYMMDDTHH/],
      ['too-large', 400, /4 GB/],
      ['unauthorized', 401, /Authentication/],
      ['forbidden', 403, /Invalid API Key/],
      ['no-data', 404, /^Raw data files were not found\.$/],
      ['html-404', 404, /^<!doctype html>/],
      ['json-404', 404, /^\{"message"/],
      ['backend-404', 404, /^default backend - 404$/],
      ['text-404', 404, /^(?!.*raw data).+/i],
      ['empty-404', 404, /^$/],
      ['rate-limit', 429, /Rate limit/],
      ['rate-limit-silent', 429, /Rate limit/],
      ['rate-limit-date', 429, /Rate limit/],
      ['server-error', 500, /Internal/],
      ['bad-gateway', 502, /Bad Gateway/],
      ['unavailable', 503, /Unavailable/],
      ['gateway-timeout', 504, /Time-out/],
      ['redirect', 302, /Found/],
      ['html', 200, /^<!doctype html>/],
      ['empty-body', 200, /^$/],
    ];
    for (const [name, status, body] of cases) {
      it(`${name}: ${FAULTS[name]}`, async () => {
        simulator.faults.push({ name });
        const response = await ask(BUSY);
        expect(response.status).to.equal(status);
        expect(await response.text()).to.match(body);
        expect(simulator.requests.at(-1)).to.include({ status, fault: name });
        const after = response.headers.get('retry-after');
        if (name === 'rate-limit') expect(after).to.equal('1');
        else if (name === 'rate-limit-date') expect(Date.parse(after ?? '') - NOW.getTime()).to.be.within(1000, 3000);
        else expect(after).to.equal(null);
        if (name === 'redirect') expect(response.headers.get('location')).to.match(/^http:\/\/elsewhere\.invalid\//);
        if (name === 'html') expect(response.headers.get('content-type')).to.match(/^text\/html/);
      });
    }

    it('reset: no answer but an error', async () => {
      simulator.faults.push({ name: 'reset' });
      const error = await ask(BUSY).catch((reason: Error) => reason);
      expect(error).to.have.nested.property('cause.code', 'ECONNRESET');
      expect(simulator.requests.at(-1)).to.include({ status: 0, fault: 'reset' });
    });

    it('stall-first-byte: no answer at all', async () => {
      simulator.faults.push({ name: 'stall-first-byte' });
      const error = await ask(BUSY, BUSY, { signal: AbortSignal.timeout(300) }).catch((reason: Error) => reason);
      expect(error).to.have.property('name', 'TimeoutError');
    });
  });

  describe('delivery faults', () => {
    /** The body as far as it comes, and how it ends. */
    async function drain(
      ms = 5000,
    ): Promise<{ response: IncomingMessage; bytes: number; end: string; chunks: number }> {
      const url = `${simulator.url}/api/2/export?start=${wire(BUSY)}&end=${wire(BUSY)}`;
      const request = get(url, { headers: { Authorization: KEYS }, agent: false });
      request.on('error', () => undefined);
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      const stalled = setTimeout(() => response.destroy(new Error('stalled')), ms);
      let bytes = 0;
      let chunks = 0;
      let end = 'complete';
      try {
        for await (const chunk of response as AsyncIterable<Buffer>) {
          bytes += chunk.length;
          chunks++;
        }
      } catch (error) {
        end = (error as Error).message;
      }
      clearTimeout(stalled);
      return { response, bytes, end, chunks };
    }

    let whole: number;
    beforeEach(async () => {
      whole = (await drain()).bytes;
    });

    it('none of them by default: chunked and complete', async () => {
      const { response, end } = await drain();
      expect(end).to.equal('complete');
      expect(response.headers).to.include({ 'content-type': 'application/zip', 'transfer-encoding': 'chunked' });
      expect(response.headers).not.to.have.property('content-length');
    });

    it('stall-body: half, then silence', async () => {
      simulator.faults.push({ name: 'stall-body' });
      const { bytes, end } = await drain(500);
      expect({ bytes, end }).to.deep.equal({ bytes: Math.floor(whole / 2), end: 'stalled' });
    });

    it('truncated-length: the whole length announced, half of it sent', async () => {
      simulator.faults.push({ name: 'truncated-length' });
      const { response, bytes, end } = await drain();
      expect(response.headers['content-length']).to.equal(whole.toString());
      expect({ bytes, end }).to.deep.equal({ bytes: Math.floor(whole / 2), end: 'aborted' });
    });

    it('cut-chunked: chunks without an end', async () => {
      simulator.faults.push({ name: 'cut-chunked' });
      const { response, bytes, end } = await drain();
      expect(response.headers).to.have.property('transfer-encoding', 'chunked');
      expect({ bytes, end }).to.deep.equal({ bytes: Math.floor(whole / 2), end: 'aborted' });
    });

    it('slow: late but whole', async () => {
      simulator.faults.push({ name: 'slow' });
      const before = performance.now();
      const { bytes, end, chunks } = await drain();
      expect({ bytes, end }).to.deep.equal({ bytes: whole, end: 'complete' });
      expect(performance.now() - before).to.be.within(900, 3000);
      expect(chunks).to.be.at.least(9);
    });

    it('truncated-zip: a complete answer with half an archive', async () => {
      simulator.faults.push({ name: 'truncated-zip' });
      const { bytes, end } = await drain();
      expect({ bytes, end }).to.deep.equal({ bytes: Math.floor(whole / 2), end: 'complete' });
      const error = await unzip(await archiveOf(BUSY)).catch((reason: Error) => reason);
      expect(error).to.be.instanceOf(Error);
    });
  });

  describe('archive faults', () => {
    const names = () => expectedHour({ eventsPerHour: SCALE }, BUSY).parts.map(({ name }) => name);
    const namesOf = (members: Member[]) => members.map(({ name }) => name);

    it('data-descriptors', async () => {
      const { members, first, clean } = await withFault('data-descriptors');
      expect(members.map(({ entry }) => entry.generalPurposeBitFlag & 8)).to.deep.equal(names().map(() => 8));
      expect(gunzipSync(first).equals(clean)).to.equal(true);
    });

    it('zip64', async () => {
      simulator.faults.push({ name: 'zip64' });
      const archive = await archiveOf(BUSY);
      expect(archive.subarray(-22, -18).toString('latin1')).to.equal('PK\x05\x06');
      expect(archive.readUInt16LE(archive.length - 12)).to.equal(0xffff);
      expect(archive.includes('PK\x06\x06')).to.equal(true);
      const members = await unzip(archive);
      expect(namesOf(members)).to.deep.equal(names());
      expect(members[0]?.entry.extraFields[0]?.id).to.equal(1);
    });

    it('directory-entries', async () => {
      const { members } = await withFault('directory-entries');
      expect(namesOf(members)).to.deep.equal(['100011471/', ...names()]);
      expect((members[0]?.entry.externalFileAttributes ?? 0) & 0x10).to.equal(0x10);
    });

    it('deflated', async () => {
      const { members, first, clean } = await withFault('deflated');
      expect(members.map(({ entry }) => entry.compressionMethod)).to.deep.equal(names().map(() => 8));
      expect(gunzipSync(first).equals(clean)).to.equal(true);
    });

    it('flipped-byte: gzip finds it, and so does the CRC of the zip', async () => {
      const clean = await unzip(await archiveOf(BUSY));
      const { members, first } = await withFault('flipped-byte');
      expect(members[0]?.entry.compressionMethod).to.equal(0);
      expect(members[0]?.entry.crc32).to.equal(clean[0]?.entry.crc32);
      expect(members.map(({ crcIsRight }) => crcIsRight)).to.deep.equal(names().map((_, at) => at > 0));
      expect(first.filter((byte, at) => byte !== clean[0]?.data[at])).to.have.length(1);
      expect(() => gunzipSync(first)).to.throw();
    });

    it('half-gzip', async () => {
      const { members, first, clean } = await withFault('half-gzip');
      expect(members[0]?.crcIsRight).to.equal(true);
      expect(() => gunzipSync(first)).to.throw('unexpected end of file');
      const begun = gunzipSync(first, { finishFlush: constants.Z_SYNC_FLUSH });
      expect(clean.subarray(0, begun.length).equals(begun)).to.equal(true);
    });

    it('two-gzip-streams', async () => {
      const { first, clean } = await withFault('two-gzip-streams');
      expect(gunzipSync(first).equals(clean)).to.equal(true);
      expect(first.readUInt32LE(first.length - 4)).to.be.within(1, clean.length - 1);
    });

    it('trailing-padding', async () => {
      const { first, clean } = await withFault('trailing-padding');
      expect(first.subarray(-512).every((byte) => byte === 0)).to.equal(true);
      expect(first.readUInt32LE(first.length - 512 - 4)).to.equal(clean.length);
      expect(gunzipSync(first).equals(clean)).to.equal(true);
    });

    const extras: [FaultName, string][] = [
      ['traversal', '../../evil.json.gz'],
      ['absolute', '/etc/evil.json.gz'],
      ['unparsable-name', '100011471/events.json.gz'],
      ['second-project', `100011472/100011472_2026-11-20_${(BUSY - DAY).toString()}#0.json.gz`],
      ['outside-window', `100011471/100011471_2026-11-20_${(BUSY - 1 - DAY).toString()}#0.json.gz`],
      [
        'grown',
        `100011471/100011471_2026-11-20_${(BUSY - DAY).toString()}#${counts(BUSY).parts.length.toString()}.json.gz`,
      ],
    ];
    for (const [name, extra] of extras) {
      it(`${name}: ${FAULTS[name]}`, async () => {
        const { members } = await withFault(name);
        expect(namesOf(members)).to.deep.equal([...names(), extra]);
        expect(linesIn(gunzipSync(members.at(-1)?.data ?? Buffer.alloc(0)))).to.have.length(SCALE / 10);
      });
    }

    it('outside-window: the hour before the window, not before the hour', async () => {
      simulator.faults.push({ name: 'outside-window', hour: BUSY });
      const members = await unzip(await archiveOf(DAY, DAY + 23));
      expect(namesOf(members)).to.include('100011471/100011471_2026-11-19_23#0.json.gz');
    });

    it('grown: gives a quiet hour its first member where the hour is named', async () => {
      expect((await ask(QUIET)).status).to.equal(404);
      simulator.faults.push({ name: 'grown', hour: QUIET });
      const [only, ...others] = await unzip(await archiveOf(QUIET));
      expect(only?.name).to.match(/#0\.json\.gz$/);
      expect(others).to.deep.equal([]);
    });

    it('complete-marks', async () => {
      const { members } = await withFault('complete-marks');
      expect(namesOf(members)).to.deep.equal([
        ...names(),
        `100011471/100011471_2026-11-20_${(BUSY - DAY).toString()}_complete`,
      ]);
      expect(members.at(-1)?.data).to.have.length(0);
    });

    it('backslash', async () => {
      const { members } = await withFault('backslash');
      expect(namesOf(members)).to.deep.equal([names()[0]?.replace('/', '\\'), ...names().slice(1)]);
    });

    it('duplicate-names: one name, two contents', async () => {
      const { members, first } = await withFault('duplicate-names');
      expect(namesOf(members)).to.deep.equal([...names(), names()[0]]);
      expect(members.at(-1)?.data.equals(first)).to.equal(false);
    });

    it('missing-member', async () => {
      const { members } = await withFault('missing-member');
      expect(namesOf(members)).to.deep.equal(names().slice(0, -1));
    });

    it('shrunk', async () => {
      const { members, first, clean } = await withFault('shrunk');
      expect(namesOf(members)).to.deep.equal(names());
      const left = linesIn(gunzipSync(first));
      expect(left).to.deep.equal(linesIn(clean).slice(0, Math.floor(linesIn(clean).length / 2)));
    });

    it('empty-hour: 404 alone, left out beside others', async () => {
      simulator.faults.push({ name: 'empty-hour', hour: BUSY });
      expect((await ask(BUSY)).status).to.equal(404);
      const all = namesOf(await unzip(await archiveOf(DAY, DAY + 23)));
      expect(all).not.to.be.empty.and.not.to.include(names()[0]);
      expect(all.filter((name) => names().includes(name))).to.deep.equal([]);
    });

    it('empty-archive: a zip without entries', async () => {
      simulator.faults.push({ name: 'empty-archive' });
      expect(await unzip(await archiveOf(BUSY))).to.deep.equal([]);
      expect((await ask(QUIET)).status).to.equal(404);
    });

    it('other-day: members of an earlier day and of none that was asked for', async () => {
      simulator.faults.push({ name: 'other-day' });
      for (const [first, last] of [
        [BUSY, BUSY],
        [DAY, DAY + 23],
        [DAY - 24, DAY + 23],
      ] as const) {
        const dates = namesOf(await unzip(await archiveOf(first, last))).map((name) => name.split('_')[1] ?? '');
        expect(dates).not.to.have.length(0);
        for (const date of dates) expect(date < formatHour(first).slice(0, 10), date).to.equal(true);
      }
    });

    it('json-array: one line that is all events', async () => {
      const { first, clean } = await withFault('json-array');
      const lines = linesIn(gunzipSync(first));
      expect(lines).to.have.length(1);
      expect(JSON.parse(lines[0] ?? '')).to.have.length(linesIn(clean).length);
    });

    it('utf16', async () => {
      const { first, clean } = await withFault('utf16');
      const bytes = gunzipSync(first);
      expect(bytes.subarray(0, 2).toString('hex')).to.equal('fffe');
      expect(bytes.subarray(2).toString('utf16le')).to.equal(clean.toString());
    });

    it('gzip-in-gzip', async () => {
      const { first, clean } = await withFault('gzip-in-gzip');
      expect(gunzipSync(gunzipSync(first)).equals(clean)).to.equal(true);
    });

    it('empty-member and zero-bytes-member', async () => {
      const empty = await withFault('empty-member');
      expect(empty.first).not.to.have.length(0);
      expect(gunzipSync(empty.first)).to.have.length(0);
      simulator.faults.length = 0;
      const none = await withFault('zero-bytes-member');
      expect(none.first).to.have.length(0);
      expect(namesOf(none.members)).to.deep.equal(names());
    });

    it('several at once', async () => {
      const { members, first } = await withFault('zip64', 'deflated', 'grown', 'crlf');
      expect(members).to.have.length(names().length + 1);
      expect(members[0]?.entry.compressionMethod).to.equal(8);
      expect(gunzipSync(first).includes('}\r\n{')).to.equal(true);
      expect(simulator.requests.at(-1)?.fault).to.equal('zip64,deflated,grown,crlf');
    });
  });

  describe('line faults', () => {
    const added = (lines: string[], clean: string[]) => lines.filter((line) => !clean.includes(line));

    it('bad-line: one line more, in the middle, that is half an object', async () => {
      const { first, clean } = await withFault('bad-line');
      const lines = linesIn(gunzipSync(first));
      expect(lines).to.have.length(linesIn(clean).length + 1);
      const [bad = '', ...others] = added(lines, linesIn(clean));
      expect(others).to.deep.equal([]);
      expect(bad).to.match(/^\{"[^}]*[^}\s]$/);
      expect(lines.indexOf(bad)).to.equal(Math.floor(linesIn(clean).length / 2));
    });

    it('bad-json: one line more, that looks like an object and is none', async () => {
      const { first, clean } = await withFault('bad-json');
      const [bad = '', ...others] = added(linesIn(gunzipSync(first)), linesIn(clean));
      expect(others).to.deep.equal([]);
      expect(bad).to.match(/^\{.*\}$/);
      expect(() => JSON.parse(bad)).to.throw(SyntaxError);
    });

    it('blank-lines: at the start, in the middle and at the end', async () => {
      const { first, clean } = await withFault('blank-lines');
      const lines = linesIn(gunzipSync(first));
      expect(lines.filter((line) => line.trim() !== '')).to.deep.equal(linesIn(clean));
      expect([lines[0], lines.at(-1)]).to.deep.equal(['', '']);
      expect(lines).to.include(' \t');
    });

    it('no-last-newline', async () => {
      const { first, clean } = await withFault('no-last-newline');
      expect(gunzipSync(first).equals(clean.subarray(0, -1))).to.equal(true);
    });

    it('crlf', async () => {
      const { first, clean } = await withFault('crlf');
      expect(gunzipSync(first).toString()).to.equal(clean.toString().replaceAll('\n', '\r\n'));
    });

    it('long-line: one event of 1 MB, no event more', async () => {
      const { first, clean } = await withFault('long-line');
      const lines = linesIn(gunzipSync(first));
      expect(lines).to.have.length(linesIn(clean).length);
      const [long = '', ...others] = added(lines, linesIn(clean));
      expect(others).to.deep.equal([]);
      expect(long.length).to.be.above(1_000_000);
      expect(JSON.parse(long)).to.include.keys('uuid', 'padding');
    });

    it('line-separator: raw separators inside one event', async () => {
      const { first, clean } = await withFault('line-separator');
      const lines = linesIn(gunzipSync(first));
      const [event = '', ...others] = added(lines, linesIn(clean));
      expect(others).to.deep.equal([]);
      expect(JSON.parse(event)).to.have.property('separators', 'a\u2028b\u2029c\u0085d');
      expect(event).to.include('\u2028');
    });

    it('bom', async () => {
      const { first, clean } = await withFault('bom');
      const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), clean]);
      expect(gunzipSync(first).equals(marked)).to.equal(true);
    });

    /** Inflates without holding it. */
    async function inflate(data: Buffer): Promise<{ bytes: number; lines: number; head: string }> {
      let bytes = 0;
      let lines = 0;
      let head = '';
      for await (const chunk of Readable.from([data]).pipe(
        createGunzip({ chunkSize: 1 << 20 }),
      ) as AsyncIterable<Buffer>) {
        if (head.length < 300_000) head += chunk.toString('latin1');
        bytes += chunk.length;
        for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines++;
      }
      return { bytes, lines, head };
    }

    it('bomb: a gigabyte out of a megabyte', async () => {
      const { first } = await withFault('bomb');
      const { bytes, lines, head } = await inflate(first);
      expect(bytes).to.equal(2 ** 30);
      expect(lines).to.equal(4096);
      expect(bytes / first.length).to.be.above(700);
      expect(JSON.parse(head.slice(0, head.indexOf('\n')))).to.have.property('event_type', 'bomb');
    });

    it('large-member: 500 MB of events', async () => {
      const { members, first } = await withFault('large-member');
      const { bytes, lines, head } = await inflate(first);
      expect(bytes).to.be.within(500_000_000, 510_000_000);
      expect(lines % 2000).to.equal(0);
      expect(JSON.parse(Buffer.from(head.slice(0, head.indexOf('\n')), 'latin1').toString())).to.include.keys('uuid');
      expect(members[0]?.crcIsRight).to.equal(true);
    });
  });

  it('prints what to paste and stays until it is told to stop', async () => {
    const stop = new AbortController();
    const printed: string[] = [];
    const done = runSimulator({ apiKey: 'k', faults: [parseFault('slow*2')] }, stop.signal, (line) =>
      printed.push(line),
    );
    while (printed.length < 5) await new Promise(setImmediate);
    const url = printed.find((line) => line.startsWith('AMPLITUDE_BASE_URL='))?.slice(19) ?? '';
    expect(printed).to.include.members([
      'AMPLITUDE_API_KEY=k',
      'AMPLITUDE_SECRET_KEY=simulator-secret',
      'Fault: slow*2',
    ]);
    expect((await fetch(`${url}/simulator/requests`)).status).to.equal(200);
    stop.abort();
    await done;
    expect(await fetch(url).catch(() => 'closed')).to.equal('closed');
  });

  it('says so where the port is taken', async () => {
    const port = Number(new URL(simulator.url).port);
    const error = await startSimulator({ port }).catch((reason: Error) => reason);
    expect(error).to.be.instanceOf(UsageError).with.property('message').that.includes('EADDRINUSE');
  });
});

describe('zip writer', () => {
  const text = Buffer.from('São Paulo '.repeat(500));
  const cases: [string, Partial<ZipEntry>][] = [
    ['stored', { data: text }],
    ['deflated', { data: text, method: 'deflated' }],
    ['with descriptors', { data: text, dataDescriptor: true }],
    ['deflated with descriptors', { data: text, method: 'deflated', dataDescriptor: true }],
    ['zip64', { data: text, zip64: true }],
    ['zip64 with descriptors', { data: text, zip64: true, dataDescriptor: true }],
    ['from a function', { data: () => Promise.resolve(text) }],
    ['streamed', { data: () => [text.subarray(0, 7), text.subarray(7)] }],
    ['streamed and deflated', { data: Readable.from([text]), method: 'deflated' }],
  ];
  for (const [what, entry] of cases) {
    it(`${what}: yauzl and jszip read it back`, async () => {
      const archive = await write([
        { name: 'before', data: Buffer.from('1') },
        { name: '東京/é.txt', data: text, ...entry },
        { name: 'after', data: Buffer.alloc(0) },
      ]);
      const members = await unzip(archive);
      expect(members.map(({ name, crcIsRight }) => [name, crcIsRight])).to.deep.equal([
        ['before', true],
        ['東京/é.txt', true],
        ['after', true],
      ]);
      expect(members[1]?.data.equals(text)).to.equal(true);
      const opened = await JSZip.loadAsync(archive, { checkCRC32: true });
      expect((await opened.file('東京/é.txt')?.async('nodebuffer'))?.equals(text)).to.equal(true);
    });
  }

  it('ends with zip64 records and a comment on demand', async () => {
    const archive = await write([{ name: 'a', data: text }], { zip64: true, comment: 'made by hand' });
    const file = await yauzl.fromBufferPromise(archive);
    expect(file.entryCount).to.equal(1);
    expect(file.comment).to.equal('made by hand');
    expect(archive.includes('PK\x06\x07')).to.equal(true);
    expect((await write([{ name: 'a', data: text }])).includes('PK\x06\x06')).to.equal(false);
  });

  it('announces another checksum than the true one on demand', async () => {
    const [member] = await unzip(await write([{ name: 'a', data: text, crc32: 0x12345678 }]));
    expect(member?.entry.crc32).to.equal(0x12345678);
    expect(member?.crcIsRight).to.equal(false);
  });

  it('lets a name of raw bytes through', async () => {
    const name = Buffer.from([0xff, 0xfe, 0x2e]);
    const file = await yauzl.fromBufferPromise(await write([{ name, data: text }]), { decodeStrings: false });
    for await (const entry of file.eachEntry()) {
      expect(entry.fileNameRaw.equals(name)).to.equal(true);
      expect(entry.generalPurposeBitFlag & (1 << 11)).to.equal(0);
    }
  });

  it('takes up an entry only when its turn comes', async () => {
    const turns: string[] = [];
    const entry = (name: string): ZipEntry => ({
      name,
      data: () => {
        turns.push(name);
        return text;
      },
    });
    const parts = zip([entry('a'), entry('b')]);
    await parts.next();
    await parts.next();
    expect(turns).to.deep.equal(['a']);
    await parts.return(undefined);
    expect(turns).to.deep.equal(['a']);
  });

  it('turns to zip64 above 65,534 entries', async () => {
    const none = Buffer.alloc(0);
    const entries = Array.from({ length: 70_000 }, (_, at) => ({ name: at.toString(), data: none }));
    const file = await yauzl.fromBufferPromise(await write(entries));
    let last = '';
    for await (const entry of file.eachEntry()) last = entry.fileName;
    expect(file.entryCount).to.equal(70_000);
    expect(last).to.equal('69999');
  });

  it('turns to zip64 above 4 GiB, for sizes and for offsets', async function () {
    this.timeout(60_000);
    const block = Buffer.alloc(64 * 2 ** 20, 'x');
    const big = Array.from({ length: 65 }, () => block);
    const chunks: Buffer[] = [];
    // The large chunks are one and the same block, so that the archive takes no room.
    for await (const chunk of zip([
      { name: 'big', data: () => big },
      { name: 'behind', data: text, method: 'deflated' },
    ]))
      chunks.push(chunk);
    const size = chunks.reduce((sum, { length }) => sum + length, 0);
    expect(size).to.be.above(2 ** 32);

    class Chunks extends yauzl.RandomAccessReader {
      override _readStreamForRange(start: number, end: number): Readable {
        let at = 0;
        const wanted = chunks.map((chunk) => {
          const part = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at));
          at += chunk.length;
          return part;
        });
        return Readable.from(wanted.filter(({ length }) => length > 0));
      }
    }
    const file = await yauzl.fromRandomAccessReaderPromise(new Chunks(), size);
    const sizes: Record<string, number> = {};
    for await (const entry of file.eachEntry()) {
      sizes[entry.fileName] = entry.uncompressedSize;
      if (entry.fileName !== 'behind') continue;
      expect(entry.relativeOffsetOfLocalHeader).to.be.above(2 ** 32);
      expect((await readAll(await file.openReadStreamPromise(entry))).equals(text)).to.equal(true);
    }
    expect(sizes).to.deep.equal({ big: 65 * block.length, behind: text.length });
  });
});

describe('gzip writer', () => {
  it('repeats a block inside one stream', () => {
    const block = Buffer.from('{"a":1}\n{"b":"é"}\n');
    const member = Buffer.concat([...gzipRepeated(block, 1000)]);
    expect(gunzipSync(member).toString()).to.equal(block.toString().repeat(1000));
    expect(member.readUInt32LE(member.length - 4)).to.equal(block.length * 1000);
  });

  it('cuts streams at line ends where there are any', () => {
    const json = Buffer.from('{"a":1}\n{"b":2}\n{"c":3}\n');
    const member = gzipMember(json, { streams: 2 });
    expect(gunzipSync(member).equals(json)).to.equal(true);
    expect(member.readUInt32LE(member.length - 4)).to.equal(8);
    expect(gunzipSync(gzipMember(Buffer.from('no line end'), { streams: 3 })).toString()).to.equal('no line end');
  });
});
