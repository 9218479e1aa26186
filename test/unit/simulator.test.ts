import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { constants, crc32, createGunzip, gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import { UsageError } from '../../src/errors.ts';
import { formatHour, type Hour, readHour } from '../../src/hours.ts';
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
import { type Unzipped as Member, unzip } from '../support/archive/fixtures.ts';

const NOW = new Date('2026-11-22T00:00:00Z');
const DAY = readHour('2026-11-20T00');
const KEYS = `Basic ${btoa('simulator-key:simulator-secret')}`;
const SCALE = 40;
const counts = (hour: Hour) => eventsOfHour(1, hour, SCALE);
const hours = Array.from({ length: 24 }, (_, index) => DAY + index);
/** An hour with several parts, and one without any. */
const BUSY = hours.find((hour) => counts(hour).parts.length > 1) ?? Number.NaN;
const QUIET =
  Array.from({ length: 240 }, (_, index) => DAY - index).find((hour) => counts(hour).events === 0) ?? Number.NaN;

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
      for (const [index, { data, crcIsRight, entry }] of members.entries()) {
        expect(crcIsRight).to.equal(true);
        expect(entry.compressionMethod).to.equal(0);
        expect(gunzipSync(data).equals(expected.parts[index]?.json ?? Buffer.alloc(0))).to.equal(true);
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
      const many = Array.from({ length: 24 * 100 }, (_, index) => DAY + index);
      const all = many.map((hour) => eventsOfHour(1, hour, 200));
      const quiet = all.filter(({ events }) => events === 0).length;
      expect(quiet / all.length).to.be.within(0.05, 0.11);
      expect(all.some(({ events }, index) => events === 0 && all[index - 1]?.events === 0)).to.equal(false);
      expect(new Set(all.map(({ parts }) => parts.length))).to.deep.equal(new Set([0, 1, 2, 3]));
      const countsAt = (hh: number) =>
        many.filter((hour) => hour % 24 === hh).map((hour) => eventsOfHour(1, hour, 200).events);
      const mean = (list: number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
      expect(mean(countsAt(12))).to.be.above(3 * mean(countsAt(3)));
      for (const { events, parts } of all) expect(parts.reduce((sum, part) => sum + part, 0)).to.equal(events);
    });

    it('leaves out hours that are not ready', async () => {
      const now = new Date((BUSY + 3) * 3_600_000);
      await start({ now: () => now });
      expect((await ask(BUSY)).status).to.equal(200);
      await start({ now: () => new Date(now.getTime() - 1) });
      expect((await ask(BUSY)).status).to.equal(404);
    });

    it('deflates members on demand', async () => {
      await start({ compression: 'deflated' });
      const [first] = await unzip(await archiveOf(BUSY));
      expect(first?.entry.compressionMethod).to.equal(8);
      expect(first?.crcIsRight).to.equal(true);
    });

    it('streams parts too large for memory', async () => {
      await start({ eventsPerHour: 20_000, gzipLevel: 1 });
      const members = await unzip(await archiveOf(BUSY));
      const expected = expectedHour({ eventsPerHour: 20_000 }, BUSY);
      expect(members[0]?.entry.generalPurposeBitFlag).to.equal(8);
      for (const [index, { data, crcIsRight }] of members.entries()) {
        expect(crcIsRight).to.equal(true);
        expect(crc32(gunzipSync(data))).to.equal(crc32(expected.parts[index]?.json ?? ''));
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

    it('requires the right pair of keys', async () => {
      const query = `start=${wire(BUSY)}&end=${wire(BUSY)}`;
      expect((await status(query, {})).status).to.equal(401);
      const refused = await status(query, { Authorization: `Basic ${btoa('simulator-key:wrong')}` });
      expect(refused.status).to.equal(403);
      expect(JSON.parse(refused.body)).to.have.nested.property('error.metadata.details', 'Invalid API Key');
    });

    it('names the wrong parameter', async () => {
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

    it('sends the time of the machine, unless a fault changes it', async () => {
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

    it('refuses windows above tooLargeHours', async () => {
      await start({ tooLargeHours: 6 });
      expect((await ask(DAY, DAY + 5)).status).to.equal(200);
      const refused = await ask(DAY, DAY + 6);
      expect(refused.status).to.equal(400);
      expect(await refused.text()).to.include('4 GB');
    });

    it('refuses a sixth request while five are under way', async () => {
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

    it('never refuses a client that sends five at once', async () => {
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
      const different = changed.filter(({ data }, index) => clean[index]?.data.equals(data) === false);
      expect(different.map(({ name }) => name)).to.deep.equal([
        expectedHour({ eventsPerHour: SCALE }, BUSY).parts[0]?.name,
      ]);
    });

    it('that need data do not count windows without', async () => {
      simulator.faults.push({ name: 'bom', times: 1 }, { name: 'slow', times: 1 });
      expect((await ask(QUIET)).status).to.equal(404);
      expect(simulator.requests[0]).not.to.have.property('fault');
    });

    it('that replace the answer take turns', async () => {
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
      ['firewall', 403, /^<!doctype html>/],
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

    const halves: [FaultName, string][] = [
      ['stall-body', 'stalled'],
      ['truncated-length', 'aborted'],
      ['cut-chunked', 'aborted'],
      ['truncated-zip', 'complete'],
    ];
    for (const [name, ending] of halves) {
      it(`${name}: ${FAULTS[name]}`, async () => {
        simulator.faults.push({ name });
        const { response, bytes, end } = await drain(name === 'stall-body' ? 500 : 5000);
        expect({ bytes, end }).to.deep.equal({ bytes: Math.floor(whole / 2), end: ending });
        const announced = name === 'truncated-length' ? whole.toString() : undefined;
        expect(response.headers['content-length']).to.equal(announced);
      });
    }

    it('slow: late but whole', async () => {
      simulator.faults.push({ name: 'slow' });
      const before = performance.now();
      const { bytes, end, chunks } = await drain();
      expect({ bytes, end }).to.deep.equal({ bytes: whole, end: 'complete' });
      expect(performance.now() - before).to.be.within(900, 3000);
      expect(chunks).to.be.at.least(9);
    });
  });

  describe('archive faults', () => {
    const names = () => expectedHour({ eventsPerHour: SCALE }, BUSY).parts.map(({ name }) => name);
    const namesOf = (members: Member[]) => members.map(({ name }) => name);
    const stem = (project: string, hour: Hour) => `${project}/${project}_2026-11-20_${hour - DAY}`;

    /** The names of the archive's entries, from the names without the fault. */
    const entries: [FaultName, (clean: string[]) => (string | undefined)[]][] = [
      ['data-descriptors', (clean) => clean],
      ['zip64', (clean) => clean],
      ['deflated', (clean) => clean],
      ['shrunk', (clean) => clean],
      ['zero-bytes-member', (clean) => clean],
      ['directory-entries', (clean) => ['100011471/', ...clean]],
      ['traversal', (clean) => [...clean, '../../evil.json.gz']],
      ['absolute', (clean) => [...clean, '/etc/evil.json.gz']],
      ['unparsable-name', (clean) => [...clean, '100011471/events.json.gz']],
      ['second-project', (clean) => [...clean, `${stem('100011472', BUSY)}#0.json.gz`]],
      ['outside-window', (clean) => [...clean, `${stem('100011471', BUSY - 1)}#0.json.gz`]],
      ['grown', (clean) => [...clean, `${stem('100011471', BUSY)}#${clean.length}.json.gz`]],
      ['complete-marks', (clean) => [...clean, `${stem('100011471', BUSY)}_complete`]],
      ['backslash', ([first, ...others]) => [first?.replace('/', '\\'), ...others]],
      ['duplicate-names', (clean) => [...clean, clean[0]]],
      ['missing-member', (clean) => clean.slice(0, -1)],
      ['empty-archive', () => []],
    ];
    for (const [name, expected] of entries) {
      it(`${name}: ${FAULTS[name]}`, async () => {
        const { members } = await withFault(name);
        expect(namesOf(members)).to.deep.equal(expected(names()));
      });
    }

    it('extra members have a tenth of the events, marks no bytes', async () => {
      const { members } = await withFault('grown', 'traversal', 'duplicate-names', 'complete-marks');
      for (const { data } of members.slice(-4, -1)) expect(linesIn(gunzipSync(data))).to.have.length(SCALE / 10);
      expect(members.at(-2)?.data.equals(members[0]?.data ?? Buffer.alloc(0))).to.equal(false);
      expect(members.at(-1)?.data).to.have.length(0);
    });

    it('the form of the zip shows in its records', async () => {
      const { members: described } = await withFault('data-descriptors');
      expect(described.map(({ entry }) => entry.generalPurposeBitFlag & 8)).to.deep.equal(names().map(() => 8));
      simulator.faults.splice(0, 1, { name: 'deflated' });
      const deflated = await unzip(await archiveOf(BUSY));
      expect(deflated.map(({ entry }) => entry.compressionMethod)).to.deep.equal(names().map(() => 8));
      simulator.faults.splice(0, 1, { name: 'directory-entries' });
      const [folder] = await unzip(await archiveOf(BUSY));
      expect((folder?.entry.externalFileAttributes ?? 0) & 0x10).to.equal(0x10);
      simulator.faults.splice(0, 1, { name: 'zip64' });
      const archive = await archiveOf(BUSY);
      expect(archive.subarray(-22, -18).toString('latin1')).to.equal('PK\x05\x06');
      expect(archive.readUInt16LE(archive.length - 12)).to.equal(0xffff);
      expect(archive.includes('PK\x06\x06')).to.equal(true);
      expect((await unzip(archive))[0]?.entry.extraFields[0]?.id).to.equal(1);
    });

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

    it('empty-hour: 404 alone, absent beside others', async () => {
      simulator.faults.push({ name: 'empty-hour', hour: BUSY });
      expect((await ask(BUSY)).status).to.equal(404);
      const all = namesOf(await unzip(await archiveOf(DAY, DAY + 23)));
      expect(all).not.to.be.empty.and.not.to.include(names()[0]);
      expect(all.filter((name) => names().includes(name))).to.deep.equal([]);
    });

    it('empty-archive: not for an hour without data', async () => {
      simulator.faults.push({ name: 'empty-archive' });
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

    it('several at once', async () => {
      const { members, first } = await withFault('zip64', 'deflated', 'grown', 'crlf');
      expect(members).to.have.length(names().length + 1);
      expect(members[0]?.entry.compressionMethod).to.equal(8);
      expect(gunzipSync(first).includes('}\r\n{')).to.equal(true);
      expect(simulator.requests.at(-1)?.fault).to.equal('zip64,deflated,grown,crlf');
    });
  });

  describe('member faults', () => {
    const ends = (lines: string[], lineEnd = '\n') => lines.map((line) => `${line}${lineEnd}`).join('');

    /** What the first member inflates to, from its lines without the fault. */
    const contents: [FaultName, (lines: string[], middle: number) => string | Buffer][] = [
      ['data-descriptors', (lines) => ends(lines)],
      ['deflated', (lines) => ends(lines)],
      ['zip64', (lines) => ends(lines)],
      ['backslash', (lines) => ends(lines)],
      ['two-gzip-streams', (lines) => ends(lines)],
      ['trailing-padding', (lines) => ends(lines)],
      ['shrunk', (lines, middle) => ends(lines.slice(0, middle))],
      ['json-array', (lines) => `[${lines.join(',')}]\n`],
      ['utf16', (lines) => Buffer.from(`\uFEFF${ends(lines)}`, 'utf16le')],
      ['empty-member', () => ''],
      ['blank-lines', (lines, half) => ends(['', ...lines.slice(0, half), '', ' \t', ...lines.slice(half), ''])],
      ['no-last-newline', (lines) => ends(lines).slice(0, -1)],
      ['crlf', (lines) => ends(lines, '\r\n')],
      ['bom', (lines) => `\uFEFF${ends(lines)}`],
    ];
    for (const [name, expected] of contents) {
      it(`${name}: ${FAULTS[name]}`, async () => {
        const { members, first, clean } = await withFault(name);
        const lines = linesIn(clean);
        const content = Buffer.from(expected(lines, Math.floor(lines.length / 2)));
        expect(gunzipSync(first).equals(content)).to.equal(true);
        expect(members.every(({ crcIsRight }) => crcIsRight)).to.equal(true);
      });
    }

    it('gzip-in-gzip', async () => {
      const { first, clean } = await withFault('gzip-in-gzip');
      expect(gunzipSync(gunzipSync(first)).equals(clean)).to.equal(true);
    });

    it('zero-bytes-member, and empty-member, which has some', async () => {
      expect((await withFault('zero-bytes-member')).first).to.have.length(0);
      simulator.faults.length = 0;
      expect((await withFault('empty-member')).first).not.to.have.length(0);
    });

    it('two-gzip-streams and trailing-padding: a trailer that misleads', async () => {
      const { first, clean } = await withFault('two-gzip-streams');
      expect(first.readUInt32LE(first.length - 4)).to.be.within(1, clean.length - 1);
      simulator.faults.length = 0;
      const { first: padded } = await withFault('trailing-padding');
      expect(padded.subarray(-512).every((byte) => byte === 0)).to.equal(true);
      expect(padded.readUInt32LE(padded.length - 512 - 4)).to.equal(clean.length);
    });

    it('flipped-byte: gzip finds it, and so does the CRC of the zip', async () => {
      const clean = await unzip(await archiveOf(BUSY));
      const { members, first } = await withFault('flipped-byte');
      expect(members[0]?.entry.compressionMethod).to.equal(0);
      expect(members[0]?.entry.crc32).to.equal(clean[0]?.entry.crc32);
      expect(members.map(({ crcIsRight }) => crcIsRight)).to.deep.equal(clean.map((_, index) => index > 0));
      expect(first.filter((byte, index) => byte !== clean[0]?.data[index])).to.have.length(1);
      expect(() => gunzipSync(first)).to.throw();
    });

    it('half-gzip', async () => {
      const { members, first, clean } = await withFault('half-gzip');
      expect(members[0]?.crcIsRight).to.equal(true);
      expect(() => gunzipSync(first)).to.throw('unexpected end of file');
      const begun = gunzipSync(first, { finishFlush: constants.Z_SYNC_FLUSH });
      expect(clean.subarray(0, begun.length).equals(begun)).to.equal(true);
    });

    /** The only line that differs from the lines without the fault, and how many lines there are more. */
    const lines: [FaultName, number, (line: string, index: number, clean: string[]) => void][] = [
      [
        'bad-line',
        1,
        (line, index, clean) => {
          expect(line).to.match(/^\{"[^}]*[^}\s]$/);
          expect(index).to.equal(Math.floor(clean.length / 2));
        },
      ],
      [
        'bad-json',
        1,
        (line) => {
          expect(line).to.match(/^\{.*\}$/);
          expect(() => JSON.parse(line)).to.throw(SyntaxError);
        },
      ],
      [
        'long-line',
        0,
        (line) => {
          expect(line.length).to.be.above(1_000_000);
          expect(JSON.parse(line)).to.include.keys('uuid', 'padding');
        },
      ],
      [
        'line-separator',
        0,
        (line) => {
          expect(line).to.include('\u2028');
          expect(JSON.parse(line)).to.have.property('separators', 'a\u2028b\u2029c\u0085d');
        },
      ],
    ];
    for (const [name, more, check] of lines) {
      it(`${name}: ${FAULTS[name]}`, async () => {
        const { first, clean } = await withFault(name);
        const all = linesIn(gunzipSync(first));
        expect(all).to.have.length(linesIn(clean).length + more);
        const [line = '', ...others] = all.filter((each) => !linesIn(clean).includes(each));
        expect(others).to.deep.equal([]);
        check(line, all.indexOf(line), linesIn(clean));
      });
    }

    /** Inflates without holding it. */
    async function inflate(data: Buffer): Promise<{ bytes: number; lines: number; first: string }> {
      let bytes = 0;
      let count = 0;
      let head: Buffer = Buffer.alloc(0);
      for await (const chunk of Readable.from([data]).pipe(createGunzip({ chunkSize: 2 ** 20 }))) {
        if (head.length < 300_000) head = Buffer.concat([head, chunk]);
        bytes += chunk.length;
        for (let lf = chunk.indexOf(10); lf !== -1; lf = chunk.indexOf(10, lf + 1)) count++;
      }
      return { bytes, lines: count, first: head.toString('utf8', 0, head.indexOf('\n')) };
    }

    it('bomb: a gigabyte out of a megabyte', async () => {
      const { first: data } = await withFault('bomb');
      const { bytes, lines: count, first } = await inflate(data);
      expect({ bytes, count }).to.deep.equal({ bytes: 2 ** 30, count: 4096 });
      expect(bytes / data.length).to.be.above(700);
      expect(JSON.parse(first)).to.have.property('event_type', 'bomb');
    });

    it('large-member: 500 MB of events', async () => {
      const { members, first: data } = await withFault('large-member');
      const { bytes, lines: count, first } = await inflate(data);
      expect(bytes).to.be.within(500_000_000, 510_000_000);
      expect(count % 2000).to.equal(0);
      expect(JSON.parse(first)).to.include.keys('uuid');
      expect(members[0]?.crcIsRight).to.equal(true);
    });
  });

  it('prints what to paste and runs until it is stopped', async () => {
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

  it('names a port that is taken', async () => {
    const port = Number(new URL(simulator.url).port);
    const error = await startSimulator({ port }).catch((reason: Error) => reason);
    expect(error).to.be.instanceOf(UsageError).with.property('message').that.includes('EADDRINUSE');
  });
});
