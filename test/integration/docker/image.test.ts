import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  type Builder,
  docker,
  dockerOutput,
  hasBuildKit,
  imageBy,
  LABELS,
  needEngine,
  ROOT,
  removeImages,
  shell,
} from './engine.ts';

interface ImageConfig {
  readonly User: string;
  readonly WorkingDir: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[] | null;
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly ExposedPorts?: object;
  readonly Healthcheck?: object;
}

interface Package {
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** Uncompressed, as the engine stores it. */
const MOST_MB = 20;

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Package;

const configOf = async (image: string) =>
  JSON.parse(await dockerOutput(['image', 'inspect', '--format', '{{json .Config}}', image])) as ImageConfig;

after(async function () {
  this.timeout(120_000);
  await removeImages();
});

describe('the Dockerfile', () => {
  const text = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));

  it('uses nothing that the classic builder lacks', () => {
    const instructions = lines.join('\n');
    expect(instructions).not.to.match(/<<|--mount|--chmod|--link|--parents|--exclude/);
    expect(text).not.to.match(/^# *syntax=/m);
  });

  it('takes the version of the package as its default', () => {
    expect(lines).to.include(`ARG VERSION=${manifest.version}`);
  });

  it('asks for no secret as a build argument', () => {
    const args = lines.filter((line) => line.startsWith('ARG '));
    expect(args).to.have.length.above(0);
    for (const arg of args) expect(arg).not.to.match(/key|secret|token|password/i);
  });
});

describe('the image', function () {
  this.timeout(900_000);

  before(async function () {
    await needEngine(this);
    await imageBy('classic');
  });

  for (const builder of ['classic', 'BuildKit'] as const satisfies Builder[]) {
    it(`is built by the ${builder} builder and labelled`, async function () {
      if (builder === 'BuildKit' && !(await hasBuildKit())) {
        process.stderr.write('    SKIPPED: this docker client has no buildx\n');
        return this.skip();
      }
      const config = await configOf(await imageBy(builder));
      const label = (name: string) => config.Labels[`org.opencontainers.image.${name}`];
      expect(label('title')).to.equal('amplitude-to-s3');
      expect(label('description')).to.match(/Amplitude/);
      expect(label('licenses')).to.equal('MIT');
      expect(label('version')).to.equal(LABELS.VERSION);
      expect(label('source')).to.equal(LABELS.SOURCE);
      expect(label('revision')).to.equal(LABELS.REVISION);
      expect(label('created')).to.equal(LABELS.CREATED);
      expect(config.Entrypoint[0]).to.equal('/usr/local/bin/node');
      expect(config.Entrypoint.at(-1)).to.equal('/app/dist/main.js');
      expect(config.Cmd ?? []).to.deep.equal([]);
      expect(config).to.include({ User: '1000:1000', WorkingDir: '/data' });
      expect(config.Env).to.include('NODE_ENV=production');
      expect(config).not.to.have.any.keys('ExposedPorts', 'Healthcheck');
    });
  }

  it('is labelled from git by the command of docs/operating.md', async () => {
    const page = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8');
    const [command = ''] = /^docker build (?:[^\n]*\\\n)+[^\n]* \.$/m.exec(page) ?? [];
    expect(command).to.include('REVISION=');
    const name = `amplitude-to-s3-test:git-${process.pid}`;
    const output = (line: string) =>
      execFileSync('sh', ['-c', line], { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }).trim();
    // A build needs the host's network where the engine has no bridge. The layers are those of the classic builder.
    output(`DOCKER_BUILDKIT=0 ${command.replace('-t amplitude-to-s3', `--network host --quiet -t ${name}`)}`);
    try {
      const { Labels } = await configOf(name);
      expect(Labels['org.opencontainers.image.revision']).to.equal(output('git rev-parse HEAD'));
      expect(Labels['org.opencontainers.image.created']).to.equal(output('git log -1 --format=%cI'));
      expect(Labels['org.opencontainers.image.version']).to.equal(output('git describe --tags --always --dirty'));
    } finally {
      await docker(['image', 'rm', '--force', name]);
    }
  });

  it(`is at most ${MOST_MB} MB larger than its base`, async function () {
    const [, base = ''] = /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')) ?? [];
    const sizes = await dockerOutput(['image', 'inspect', '--format', '{{.Size}}', base, await imageBy('classic')]);
    const [without = 0, whole = 0] = sizes.split('\n').map(Number);
    const added = (whole - without) / 1e6;
    // The figure stands beside the test's name in the output.
    if (this.test !== undefined) this.test.title += `: ${added.toFixed(1)} MB, uncompressed`;
    expect(added).to.be.above(1).and.at.most(MOST_MB);
  });

  it('runs as 1000 and may write to /data and nowhere in /app', async () => {
    expect(await shell('id -u; id -g; pwd; touch probe && echo written')).to.equal('1000\n1000\n/data\nwritten');
    expect(await shell('find /app -writable | head -1')).to.equal('');
    expect(await shell('find /app ! -readable | head -1')).to.equal('');
  });

  it('holds the program, its licence and what it runs on, nothing else', async () => {
    expect((await shell('ls -A /app')).split('\n')).to.have.members([
      'LICENSE',
      'dist',
      'node_modules',
      'package.json',
    ]);
    const installed = (await shell('cd /app/node_modules && ls -d * @*/*')).split('\n');
    expect(installed).to.include.members(Object.keys(manifest.dependencies));
    // What a dependency itself depends on may be a tool of ours too.
    const tools = [
      'typescript',
      'mocha',
      'chai',
      'node',
      'fast-check',
      '@biomejs/biome',
      '@types/node',
      '@types/mocha',
    ];
    expect(Object.keys(manifest.devDependencies)).to.include.members(tools);
    for (const tool of tools) expect(installed).not.to.include(tool);
  });

  it('keeps no secret in its history or its environment', async () => {
    const image = await imageBy('classic');
    const history = await dockerOutput(['history', '--no-trunc', '--format', '{{.CreatedBy}}', image]);
    const { Env } = await configOf(image);
    const secrets = /(key|secret|token|password)\w*=/i;
    expect(history).not.to.match(secrets);
    expect(Env.join('\n')).not.to.match(secrets);
    for (const [name, value] of Object.entries(process.env)) {
      if (/key|secret|token|password/i.test(name) && (value ?? '').length >= 8) expect(history).not.to.include(value);
    }
  });
});
