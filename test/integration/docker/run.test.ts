import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import { formatHour, type Hour, hourFolder, hourOf } from '../../../src/hours.ts';
import { eventsKey, readKey } from '../../../src/landing/keys.ts';
import { crcHex } from '../../../src/landing/manifest.ts';
import { expectedHour, type Simulator, startSimulator } from '../../../src/simulator/simulator.ts';
import { type S3Server, startS3Server } from '../../support/s3-server/server.ts';
import { docker, dockerOutput, type Ended, image, needEngine, ROOT, run, shell, stop } from './engine.ts';

const DAY_MS = 86_400_000;

/** Long settled, whenever the test runs, and with events in it. */
const FIRST = hourOf(new Date(Date.now() - 3 * DAY_MS));
const HOURS: Hour[] = [FIRST, FIRST + 1, FIRST + 2];
const RANGE = { EXPORT_START: formatHour(FIRST), EXPORT_END: formatHour(FIRST + HOURS.length) };

/** Keys under `events/` and the bytes that belong there. */
const expectedObjects = (): Map<string, Buffer> =>
  new Map(
    HOURS.flatMap((hour) =>
      expectedHour({}, hour).parts.map(({ json }, part) => {
        const name = { project: '100011471', hour, part, generation: 1, crc32: crcHex(crc32(json)) };
        return [eventsKey(name, 'json'), json] as const;
      }),
    ),
  );

describe('a container', function () {
  this.timeout(900_000);
  let simulator: Simulator;
  let s3: S3Server;
  let folder: string;
  let volume: string | undefined;

  before(async function () {
    await needEngine(this);
    await image();
    folder = await mkdtemp(join(tmpdir(), 'container-'));
  });

  beforeEach(async () => {
    simulator = await startSimulator();
    s3 = await startS3Server({ buckets: ['landing'], accessKey: 'AKIAPYTHON', region: 'eu-west-1' });
  });

  afterEach(async () => {
    await simulator.close();
    await s3.close();
    if (volume !== undefined) await docker(['volume', 'rm', '--force', volume]);
    volume = undefined;
  });

  after(async () => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  async function envFile(variables: Readonly<Record<string, string>>): Promise<string[]> {
    const file = join(folder, 'job.env');
    await writeFile(
      file,
      Object.entries(variables)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
    return ['--env-file', file];
  }

  async function makeVolume(): Promise<string[]> {
    volume = await dockerOutput(['volume', 'create']);
    return ['--volume', `${volume}:/data`];
  }

  const isUp = async (container: string) =>
    (await dockerOutput(['inspect', '--format', '{{.State.Running}}', container])) === 'true';

  const succeeded = ({ code, stdout, stderr }: Ended) => expect(code, `${stdout}\n${stderr}`).to.equal(0);

  it('tells its version', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    const ended = await run([], ['--version']);
    succeeded(ended);
    expect(ended.stdout).to.include(version);
  });

  it('tells its commands', async () => {
    const ended = await run([], ['--help']);
    succeeded(ended);
    for (const command of ['export', 'status', 'verify', 'reconcile', 'simulate', 'demo'])
      expect(ended.stdout).to.include(command);
  });

  it('shows the whole job with no account at all', async () => {
    const data = await makeVolume();
    succeeded(await run([...data, '--read-only', '--tmpfs', '/tmp'], ['demo']));
    const files = (await shell('find /data -type f', data)).split('\n');
    expect(
      files.filter((file) => /\/manifests\/date=[\d-]{10}\/hour=\d\d\.json$/.test(file)),
    ).to.have.lengthOf.at.least(20);
    expect(files.filter((file) => readKey(file.slice(file.indexOf('events/'))) !== undefined)).not.to.be.empty;
    expect(await shell('find /data ! -user 1000', data)).to.equal('');
  });

  it('looks at what has landed: status with its page, verify', async () => {
    const data = await makeVolume();
    succeeded(await run([...data], ['demo']));
    const there = [...data, '-e', 'DESTINATION=/data/data'];
    const told = await run(there, ['status', '--html', '/data/status.html', '--fail-on-gaps']);
    succeeded(told);
    expect(told.stdout).to.include('No gaps.');
    expect(await shell('grep -c "<svg" /data/status.html', data)).not.to.equal('0');
    succeeded(await run(there, ['verify', '--deep']));
  });

  it('lands hours on a volume, and finds them there the next time', async () => {
    const data = await makeVolume();
    const env = await envFile({
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
      AMPLITUDE_BASE_URL: simulator.url,
      DESTINATION: '/data/landed',
      ...RANGE,
    });
    succeeded(await run([...data, ...env], []));
    const asked = simulator.requests.length;
    expect(asked).to.be.above(0);
    const sums = await shell(
      'cd /data/landed && find events -type f | sort | while read -r f; do wc -c "$f"; done',
      data,
    );
    const expected = [...expectedObjects()].map(([key, json]) => `${json.length} ${key}`);
    expect(sums.split('\n').map((line) => line.trim())).to.have.members(expected);
    succeeded(await run([...data, ...env], ['export']));
    expect(simulator.requests).to.have.length(asked);
  });

  const sets: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'AMP_API_KEY AMP_SECRET_KEY AWS_ACCESS_KEY AWS_SECRET_KEY BUCKET_NAME': {
      AMP_API_KEY: 'simulator-key',
      AMP_SECRET_KEY: 'simulator-secret',
      AWS_ACCESS_KEY: 'AKIAPYTHON',
      AWS_SECRET_KEY: 'python-secret',
      BUCKET_NAME: 'landing',
    },
    'API_TOKEN SECRET_KEY Access_key_ID Secret_access_key AWB_BUCKET_NAME': {
      API_TOKEN: 'simulator-key',
      SECRET_KEY: 'simulator-secret',
      Access_key_ID: 'AKIAPYTHON',
      Secret_access_key: 'python-secret',
      AWB_BUCKET_NAME: 'landing',
    },
    'aws_key secret region bucket_name': {
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
      aws_key: 'AKIAPYTHON',
      secret: 'python-secret',
      region: 'eu-west-1',
      bucket_name: 'landing',
    },
  };
  for (const [names, variables] of Object.entries(sets)) {
    it(`lands hours in S3 by ${names}`, async () => {
      const servers = { AMPLITUDE_BASE_URL: simulator.url, AWS_ENDPOINT_URL_S3: s3.url };
      const hardened = ['--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];
      succeeded(await run([...hardened, ...(await envFile({ ...servers, ...variables, ...RANGE }))], ['export']));
      const expected = expectedObjects();
      const landed = [...s3.objects].filter(([name]) => name.startsWith('landing/amplitude/events/'));
      expect(landed.map(([name]) => name.slice('landing/amplitude/'.length))).to.have.members([...expected.keys()]);
      for (const [name, { body }] of landed) {
        expect(expected.get(name.slice('landing/amplitude/'.length))?.equals(body), name).to.equal(true);
      }
      for (const hour of HOURS) {
        expect([...s3.objects.keys()]).to.include(`landing/amplitude/manifests/${hourFolder(hour)}.json`);
      }
    });
  }

  it('ends with 143 within 10 s when it is stopped in the middle of a request', async () => {
    simulator.faults.push({ name: 'stall-first-byte' });
    const env = await envFile({
      AMPLITUDE_API_KEY: 'simulator-key',
      AMPLITUDE_SECRET_KEY: 'simulator-secret',
      AMPLITUDE_BASE_URL: simulator.url,
      DESTINATION: '/data',
      ...RANGE,
    });
    const container = await dockerOutput(['run', '--detach', '--network', 'host', ...env, await image()]);
    try {
      for (let i = 0; i < 300 && simulator.requests.length === 0 && (await isUp(container)); i++) await pause(100);
      expect(simulator.requests).not.to.have.length(0);
      const { exitCode, tookMs, logs } = await stop(container);
      expect(exitCode, logs).to.equal(143);
      expect(tookMs).to.be.below(10_000);
    } finally {
      await docker(['rm', '--force', container]);
    }
  });

  it('serves the simulated Export API', async () => {
    const container = await dockerOutput([
      'run',
      '--detach',
      '--network',
      'host',
      await image(),
      'simulate',
      '--port',
      '0',
    ]);
    try {
      let url: string | undefined;
      for (let i = 0; i < 300 && url === undefined && (await isUp(container)); i++) {
        await pause(100);
        const { stdout, stderr } = await docker(['logs', container]);
        url = /http:\/\/127\.0\.0\.1:\d+/.exec(stdout + stderr)?.[0];
      }
      expect((await fetch(`${url}/api/2/export?start=20261120T00&end=20261120T00`)).status).to.equal(401);
      const { tookMs } = await stop(container);
      expect(tookMs).to.be.below(10_000);
    } finally {
      await docker(['rm', '--force', container]);
    }
  });
});
