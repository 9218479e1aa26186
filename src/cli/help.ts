import { command } from '../command-line.ts';
import { FAULTS } from '../simulator/simulator.ts';
import { VERSION } from '../version.ts';

const exportHelp = () => `${command('[export] [flags]')}

  Asks Amplitude's Export API for the hours that have not landed yet, puts every member into the
  destination and seals each hour with a manifest. Run again, it takes up what is missing.

  --start T            first hour; 2026-11-20T05 (UTC), 2026-11-20 (a day) or 2026-11-20T05:00:00Z
  --end T              first hour that is left out, in the same forms
  --yesterday          the previous day, from midnight to midnight in EXPORT_TIMEZONE
  --lookback-days N    without --start: look for gaps this far back (LOOKBACK_DAYS, 7)
  --force              ask for every ready hour, also sealed ones, and take smaller answers too
  --force=empty        the same, and take "no data" for hours that have events
  --strict             parse every line; lines that are no JSON objects go to quarantine
  -n, --dry-run        print which hours, in which requests and why; request and write nothing
  --json               one JSON document on stdout, logs on stderr

  Settings come from the environment; .env.example lists them all.`;

const statusHelp = () => `${command('status [flags]')}

  What has landed, hour by hour: complete, empty, missing, pending, unsettled, shrunk; the gaps, each
  with the command that fills it. Needs no keys of Amplitude.

  --start T, --end T   as for export; else the last 30 days, from the first hour that has landed
  --lookback-days N    instead of 30
  --all                also the hours before the first one that has landed
  --no-events          listings only: quicker over a year; knows neither events nor shrunk hours
  --files              every object with time, size and checksum
  --html FILE          a page with a heat map, events per hour and the gaps
  --fail-on-gaps[=AGE] exit 3 where hours are missing; only those older than AGE (36h, 2d)
  --json               one JSON document on stdout`;

const verifyHelp = () => `${command('verify [flags]')}

  Compares every manifest with what is stored: objects and sizes by listing. Exit 3 where they differ,
  and where nothing has landed. Names what no manifest names.

  --start T, --end T   as for export; else all that is there
  --checksums          also the checksum that the store keeps of each object
  --deep               read every object back: its checksum and lines
  --repair             land the hours that differ again; never makes an hour less
  --sweep              delete what no manifest names, once it is a day old
  --json               one JSON document on stdout`;

const reconcileHelp = () => `${command('reconcile DIR [flags]')}

  For a folder of export files from older scripts: deletes those whose content the destination
  confirms, and moves all others to failed_uploads/ beside DIR, with the reasons in reasons.jsonl.
  It never uploads; it says which exports land the hours that are missing.

  -n, --dry-run        print what would be deleted and moved; touch nothing
  --json               one JSON document on stdout, logs on stderr

  Exit code 3: files were moved. Needs no Amplitude keys.`;

const doctorHelp = () => `${command('doctor [--json]')}

  Tries what a run needs: settings, proxies and certificates, Amplitude's host and keys, the clock, the
  rights at the destination, WORK_DIR. A line for each, with the remedy where it fails. It asks Amplitude
  once and leaves nothing behind.

  --json               one JSON document on stdout`;

const demoHelp = () => `${command('demo [--data DIR] [--force] [--json]')}

  The whole job without any account: starts the simulator, exports its last day into DIR (./data)
  and shows its status.`;

const simulateHelp = () => `${command('simulate [flags]')}

  A local Export API with realistic events, the same for the same seed, until it is stopped. It prints
  the settings that point an export at it.

  --port N             8300; 0: any free one
  --host H             127.0.0.1
  --seed N             1
  --events-per-hour N  200, the mean of a busy hour
  --too-large-hours N  answer windows longer than this with the 400 of an export above 4 GB
  --deflated           deflate the members in the archive instead of storing them
  --fault SPEC         NAME[@HOUR][*TIMES], for example truncated-zip@2026-11-20T05*2; may be repeated

  While it runs, PUT /simulator/faults with a JSON array of such SPECs replaces the faults, and
  GET /simulator/requests tells the requests so far.`;

const EXAMPLES = [
  'demo',
  'doctor',
  '--dry-run',
  'export --yesterday',
  'export --start 2026-11-01 --end 2026-12-01',
  'export --lookback-days 30',
  'status --html status.html',
  'verify --checksums',
  'simulate --fault server-error*2 --fault flipped-byte@2026-11-20T05',
];

const CODES = `Exit codes
  0 done (also: nothing to do)    1 failed              2 usage or configuration
  3 some hours landed, some not; also gaps that status was to fail on, and differences in verify
  4 credentials refused           130/143 interrupted`;

export function helpText(of: string | undefined): string {
  if (of === 'export') return `${exportHelp()}\n\n${CODES}`;
  if (of === 'status') return `${statusHelp()}\n\n${CODES}`;
  if (of === 'verify') return `${verifyHelp()}\n\n${CODES}`;
  if (of === 'reconcile') return reconcileHelp();
  if (of === 'doctor') return `${doctorHelp()}\n\n${CODES}`;
  if (of === 'demo') return demoHelp();
  if (of === 'simulate') return `${simulateHelp()}\n\nFaults\n${faultList()}`;
  const intro = `amplitude-to-s3 ${VERSION}: Amplitude's raw events in S3 or a folder, every hour, once, complete.`;
  return [
    intro,
    ['Examples', ...EXAMPLES.map((example) => `  ${command(example)}`)].join('\n'),
    exportHelp(),
    statusHelp(),
    verifyHelp(),
    reconcileHelp(),
    doctorHelp(),
    demoHelp(),
    simulateHelp(),
    `  Faults: ${command('simulate --help')}`,
    CODES,
  ].join('\n\n');
}

function faultList(): string {
  return Object.entries(FAULTS)
    .map(([name, description]) => `  ${name.padEnd(20)} ${description}`)
    .join('\n');
}
