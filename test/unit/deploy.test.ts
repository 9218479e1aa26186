import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { expect } from 'chai';
import { parse, parseAllDocuments } from 'yaml';
import { VARIABLES, type Variable } from '../../src/config/variables.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const text = (name: string) => readFileSync(join(ROOT, name), 'utf8');
const matches = (pattern: RegExp, within: string) => [...within.matchAll(pattern)].map(([, found = '']) => found);
const SETTINGS = Object.entries(VARIABLES) as [string, Variable][];
const SECRETS = SETTINGS.flatMap(([name, { secret }]) => (secret ? [name] : []));
const PAGE = text('docs/operating.md');

/** Each name is a setting, or names the file of a secret; no secret stands there itself. */
function expectSettings(names: readonly string[]): void {
  const known = [...SETTINGS.map(([name]) => name), ...SECRETS.map((name) => `${name}_FILE`)];
  for (const name of names) {
    expect(known).to.include(name);
    expect(SECRETS).not.to.include(name);
  }
  expect(names).to.include.members(['AMPLITUDE_API_KEY_FILE', 'AMPLITUDE_SECRET_KEY_FILE', 'WORK_DIR']);
}

describe('the Kubernetes manifest', () => {
  const manifest = text('deploy/kubernetes/cronjob.yaml');
  const documents = parseAllDocuments(manifest).map((document) => {
    expect(document.errors).to.deep.equal([]);
    return document.toJS();
  });
  const [account, cronJob] = documents;
  const { spec: job } = cronJob.spec.jobTemplate;
  const { spec: pod } = job.template;
  const [container] = pod.containers;
  const mountOf = (volume: string) => container.volumeMounts.find(({ name }: { name: string }) => name === volume);
  const volumeOf = (name: string) => pod.volumes.find((volume: { name: string }) => volume.name === name);

  it('holds an account and a schedule, and one container', () => {
    expect(documents.map(({ kind }) => kind)).to.deep.equal(['ServiceAccount', 'CronJob']);
    expect(pod.containers).to.have.length(1);
    expect(pod).not.to.have.property('initContainers');
  });

  it('starts a run every hour, and never two at once', () => {
    expect(cronJob.spec).to.include({ schedule: '10 * * * *', timeZone: 'Etc/UTC', concurrencyPolicy: 'Forbid' });
    expect(cronJob.spec.startingDeadlineSeconds).to.be.within(60, 3600);
    expect(cronJob.spec.successfulJobsHistoryLimit).to.be.within(1, 5);
    expect(cronJob.spec.failedJobsHistoryLimit).to.be.within(1, 5);
  });

  it('ends a run that hangs, and does not repeat one that must fail again', () => {
    expect(job.activeDeadlineSeconds).to.equal(3 * 3600);
    expect(job.backoffLimit).to.be.within(0, 3);
    expect(job.podFailurePolicy.rules[0]).to.deep.equal({
      action: 'FailJob',
      onExitCodes: { operator: 'In', values: [2, 4] },
    });
    expect(pod.restartPolicy).to.equal('Never');
  });

  it('makes a job by hand as often as one likes, and leaves none behind for ever', () => {
    const names = matches(/kubectl create job (\S+)/g, PAGE);
    expect(names).to.deep.equal(['"$JOB"', '"$JOB"']);
    expect(matches(/^JOB="\w+-(.*?)"/gm, PAGE)).to.deep.equal(['$(date +%s)', '$(date +%s)']);
    expect(job.ttlSecondsAfterFinished).to.be.within(3600, 30 * 86_400);
  });

  it('runs as user 1000, without capabilities, on a read-only root', () => {
    expect(pod.securityContext).to.deep.equal({
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      fsGroup: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container.securityContext).to.deep.equal({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
    for (const name of ['hostNetwork', 'hostPID', 'hostIPC']) expect(pod).not.to.have.property(name);
  });

  it('asks for what it needs and gets at most 256Mi', () => {
    expect(container.resources.limits).to.deep.equal({ memory: '256Mi' });
    expect(container.resources.requests).to.have.all.keys('cpu', 'memory', 'ephemeral-storage');
  });

  it('takes a role by its account, and no token of the cluster', () => {
    expect(pod.serviceAccountName).to.equal(account.metadata.name);
    expect(account.metadata.annotations['eks.amazonaws.com/role-arn']).to.match(/^arn:aws:iam::\d{12}:role\/\S+$/);
    expect([account.automountServiceAccountToken, pod.automountServiceAccountToken]).to.deep.equal([false, false]);
  });

  it('names settings only, and secrets by their files', () => {
    expectSettings(matches(/\{ name: ([A-Z][A-Z0-9_]+),/g, manifest));
    for (const each of container.env) expect(each).to.have.all.keys('name', 'value');
    expect(container).not.to.have.property('envFrom');
  });

  it('mounts what those names point to', () => {
    const secrets = mountOf('secrets');
    expect(secrets.readOnly).to.equal(true);
    expect(volumeOf('secrets').secret.secretName).to.be.a('string');
    expect(Object.keys(volumeOf('work').emptyDir)).to.deep.equal(['sizeLimit']);
    const paths = matches(/_FILE, value: (\S+) \}/g, manifest);
    expect(paths).to.have.length(5);
    for (const path of paths) expect(path.startsWith(`${secrets.mountPath}/`), path).to.equal(true);
    const workDir = container.env.find(({ name }: { name: string }) => name === 'WORK_DIR');
    expect(workDir.value).to.equal(mountOf('work').mountPath);
    // The page creates the secret with these keys.
    for (const path of [...paths.slice(0, 2), ...paths.slice(-1)])
      expect(PAGE).to.include(`--from-file=${path.split('/').at(-1)}`);
  });
});

describe('the systemd units', () => {
  const service = text('deploy/systemd/amplitude-to-s3@.service');
  const timer = text('deploy/systemd/amplitude-to-s3@.timer');
  const lines = service.split('\n');

  it('run once an hour, also after the machine was off, and never two at once', () => {
    expect(timer)
      .to.match(/^OnCalendar=\*-\*-\* \*:10:00 UTC$/m)
      .and.to.match(/^Persistent=true$/m);
    // A timer leaves a unit alone that is still starting. With another type it would count as started at once.
    expect(lines).to.include('Type=oneshot').and.not.include('RemainAfterExit=yes');
    expect(service).to.match(/^TimeoutStartSec=\d+h$/m);
  });

  it('give the process no rights that it does not need', () => {
    expect(lines).to.include.members([
      'DynamicUser=yes',
      'ProtectSystem=strict',
      'ProtectHome=yes',
      'PrivateTmp=yes',
      'PrivateDevices=yes',
      'NoNewPrivileges=yes',
      'CapabilityBoundingSet=',
      'SystemCallFilter=@system-service',
    ]);
  });

  it('hand secrets over by LoadCredential, and name settings only', () => {
    const variables = [...service.matchAll(/^#?Environment=(\w+)=(\S+)$/gm)].map(([, name = '', value = '']) => ({
      name,
      value,
    }));
    expectSettings(variables.map(({ name }) => name).filter((name) => name !== 'HOME'));
    const files = variables.filter(({ name }) => name.endsWith('_FILE')).map(({ value }) => value.replace('%d/', ''));
    expect(matches(/^#?LoadCredential=([\w-]+):/gm, service)).to.deep.equal(files);
  });

  it('let metrics be written where the settings say it, by a group that the page creates', () => {
    const [folder = ''] = matches(/^#ReadWritePaths=(\S+)$/gm, service);
    expect(dirname(VARIABLES.METRICS_FILE.example ?? '')).to.equal(folder);
    const [group] = matches(/^#SupplementaryGroups=(\S+)$/gm, service);
    expect(PAGE).to.include(`groupadd --system ${group}\n`).and.include(`install -d -g ${group} -m 775 ${folder}\n`);
  });
});

describe('the restore of deleted objects', () => {
  const [, loop = ''] = /```sh\n(SINCE=.*?)```/s.exec(PAGE) ?? [];
  /** What it deletes, where `aws` lists such lines. */
  const deleted = (listed: string) => {
    const aws = `aws() { case "$2" in list-*) printf '${listed}' ;; *) echo "$@" ;; esac; }`;
    const said = execFileSync('bash', ['-euc', `${aws}\n${loop}`], { encoding: 'utf8' });
    return matches(/--key (.*)/g, said);
  };

  it('removes each delete marker, and nothing where there is none', () => {
    expect(deleted('amplitude/a\\tV1\\namplitude/b\\tV2\\n')).to.deep.equal([
      'amplitude/a --version-id V1',
      'amplitude/b --version-id V2',
    ]);
    for (const none of ['None\\n', '', '\\n']) expect(deleted(none)).to.deep.equal([]);
  });
});

describe('the list of packages of a release', () => {
  it('is made by npm from the lockfile: what a run needs, and nothing else', () => {
    const { jobs } = parse(text('.github/workflows/release.yml'));
    const { run } = jobs.release.steps.find((step: { run?: string }) => step.run?.includes('npm sbom'));
    const folder = mkdtempSync(join(tmpdir(), 'sbom-'));
    try {
      // Without what npm tells its scripts: the npm of the step works elsewhere.
      const own = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
      const env = { ...Object.fromEntries(own), RUNNER_TEMP: folder, GITHUB_REF_NAME: 'v1.2.3' };
      execFileSync('bash', ['-e', '-c', run], { cwd: ROOT, env, stdio: 'pipe' });
      const list = JSON.parse(readFileSync(join(folder, 'amplitude-to-s3-1.2.3.cdx.json'), 'utf8'));
      expect([list.bomFormat, list.metadata.component.name]).to.deep.equal(['CycloneDX', 'amplitude-to-s3']);
      const { packages } = JSON.parse(text('package-lock.json')) as {
        packages: Record<string, { dev?: boolean; version: string }>;
      };
      const needed = Object.entries(packages).filter(([path, { dev = false }]) => path !== '' && !dev);
      const named = needed.map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')}@${version}`);
      const listed = list.components.map((each: { name: string; version: string }) => `${each.name}@${each.version}`);
      expect(listed).to.have.members(named);
      for (const { name, licenses, hashes } of list.components) {
        expect([licenses, hashes], name).not.to.include(undefined);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
