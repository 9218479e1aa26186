import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { helpText } from '../../src/cli/help.ts';
import { command, startedBy } from '../../src/command-line.ts';
import { COMMANDS } from '../../src/commands/all.ts';
import { UsageError } from '../../src/errors.ts';
import { fillCommand } from '../../src/landing/gaps.ts';
import { MAIN, runProgram, STARTED } from '../support/program.ts';

describe('commands that are printed', () => {
  afterEach(() => startedBy('/usr/bin/amplitude-to-s3', {}));
  const printed = (script: string, env: Record<string, string>, args = 'verify --deep') => {
    startedBy(script, env);
    return command(args);
  };

  it('are those that this start understands', () => {
    const main = join(process.cwd(), 'dist/main.js');
    expect(printed(main, { npm_lifecycle_event: 'start' })).to.equal('npm start -- verify --deep');
    expect(printed(main, { npm_lifecycle_event: 'demo' })).to.equal('npm start -- verify --deep');
    expect(printed(main, { npm_lifecycle_event: 'demo' }, 'demo --data x')).to.equal('npm run demo -- --data x');
    expect(printed(main, { npm_lifecycle_event: 'demo' }, 'demo')).to.equal('npm run demo');
    expect(printed(main, { npm_lifecycle_event: 'test' })).to.equal('node dist/main.js verify --deep');
    expect(printed('/build/dist/main.js', {})).to.equal('node /build/dist/main.js verify --deep');
    expect(printed('/app/dist/main.js', { LOG_FORMAT: 'kestra' })).to.equal('amplitude_run: verify --deep');
    expect(printed("/my job's/main.js", {})).to.equal("node '/my job'\\''s/main.js' verify --deep");
    expect(printed('/usr/local/bin/amplitude-to-s3', {})).to.equal('amplitude-to-s3 verify --deep');
  });

  it('name the env file that Node.js was told, and no other of its flags', () => {
    for (const [flags, words] of [
      [['--env-file=.env'], 'node --env-file=.env dist/main.js status'],
      [['--env-file', '.env', '--inspect'], 'node --env-file .env dist/main.js status'],
      [['--env-file-if-exists=my job.env'], "node '--env-file-if-exists=my job.env' dist/main.js status"],
      [
        ['--max-old-space-size=64', '--env-file=a', '--env-file=b'],
        'node --env-file=a --env-file=b dist/main.js status',
      ],
    ] as const) {
      startedBy(join(process.cwd(), 'dist/main.js'), {}, flags);
      expect(command('status')).to.equal(words);
    }
    startedBy('', { npm_lifecycle_event: 'start' }, ['--env-file-if-exists=.env']);
    expect(command('status')).to.equal('npm start -- status');
  });

  it('run the image where it is one, and leave the mounts of a folder to whoever knows them', () => {
    const image = { AMPLITUDE_TO_S3_IMAGE: 'amplitude-to-s3' };
    const whole = 'docker run --rm --env-file .env amplitude-to-s3 verify --deep';
    expect(printed('/app/dist/main.js', image)).to.equal(whole);
    expect(printed('/app/dist/main.js', { ...image, DESTINATION: 's3://b/p' })).to.equal(whole);
    const folder = printed('/app/dist/main.js', { ...image, DESTINATION: '/data' });
    expect(folder).to.equal('docker run … amplitude-to-s3 verify --deep');
    const dockerfile = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8');
    expect(dockerfile).to.match(/^ENV AMPLITUDE_TO_S3_IMAGE=/m);
  });

  it('stand in help, hints and gaps', async () => {
    startedBy('', { npm_lifecycle_event: 'start' });
    expect(await helpText(COMMANDS, 'status')).to.match(/^npm start -- status \[flags\]/);
    expect(await helpText(COMMANDS)).to.include('  npm start -- export --yesterday\n');
    expect(new UsageError('No.').hint).to.include('`npm start -- --help`');
    expect(fillCommand('a', 'b')).to.equal('npm start -- export --start a --end b');
  });

  it('can be run as they stand, in the program too', async () => {
    const env = { LOG_FORMAT: 'pretty', npm_lifecycle_event: 'start' };
    expect((await runProgram(['exprot'], env)).stderr).to.include('→ `npm start -- --help` lists');
    const { stdout } = await runProgram(['help'], {});
    expect(stdout).to.include(`  ${STARTED} verify --checksums\n`);
    const folder = await mkdtemp(join(tmpdir(), 'installed-'));
    try {
      const file = join(folder, 'my.env');
      await writeFile(file, 'LOG_FORMAT=pretty\n');
      const { stderr } = spawnSync(process.execPath, [`--env-file=${file}`, MAIN, 'exprot'], { env: {} });
      expect(stderr.toString()).to.include(`→ \`${STARTED.replace('node', `node --env-file=${file}`)} --help`);
      const installed = join(folder, 'amplitude-to-s3');
      await symlink(MAIN, installed);
      const linked = await runProgram(['help'], {}, installed);
      expect(linked.stdout).to.include('\n  amplitude-to-s3 verify --checksums\n');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
