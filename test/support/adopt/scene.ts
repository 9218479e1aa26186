import { type ChildProcess, spawn } from 'node:child_process';
import { formatHour, type Hour } from '../../../src/hours.ts';
import type { StatusReport } from '../../../src/status/report.ts';
import type { VerifyReport } from '../../../src/verify/report.ts';
import { type Ended, MAIN, runProgram } from '../program.ts';
import type { Store } from './stores.ts';

/** What `adopt --json` prints. */
export interface AdoptReport {
  readonly command: 'adopt';
  readonly source: string;
  readonly destination: string;
  readonly dryRun: boolean;
  readonly range: { readonly start: string; readonly end: string } | null;
  readonly project: string | null;
  readonly files: {
    readonly found: number;
    readonly adopted: number;
    readonly marks: number;
    readonly unknown: number;
  };
  readonly hours: {
    readonly adopted: readonly string[];
    readonly empty: readonly string[];
    readonly unproved: readonly string[];
    readonly proved: readonly string[];
    readonly same: number;
    readonly failed: readonly { readonly hour: string; readonly code: string; readonly message: string }[];
    readonly pending: readonly string[];
  };
  readonly left: readonly {
    readonly file: string;
    readonly hour: string | null;
    readonly code: string;
    readonly reason: string;
  }[];
  readonly mergedIds: { readonly hours: number; readonly lines: number };
  readonly events: number;
  readonly bytes: number;
  readonly quarantined: number;
  readonly copied: number;
  readonly requests: number;
  readonly seconds: number;
  readonly exitCode: number;
}

type Env = Readonly<Record<string, string>>;

export interface Adopted extends Ended {
  readonly said: AdoptReport;
}

/** One source, one destination, and the commands that a person runs on them. */
export class Scene {
  readonly from: Store;
  readonly to: Store;
  readonly #env: Env;
  /** Names within the stores. */
  source = 'source';
  destination = 'landed';

  constructor(from: Store, to: Store, env: Env = {}) {
    this.from = from;
    this.to = to;
    this.#env = env;
  }

  get env(): Record<string, string> {
    return {
      ...this.from.env,
      ...this.to.env,
      DESTINATION: this.to.address(this.destination),
      ...this.#env,
    };
  }

  /** With `--json`. An answer that is no report fails the test with what the program said. */
  async adopt(args: readonly string[] = [], env: Env = {}): Promise<Adopted> {
    const ended = await this.run(['adopt', this.from.address(this.source), '--json', ...args], env);
    let said: AdoptReport | undefined;
    try {
      said = ended.report<AdoptReport>();
    } catch {}
    if (said?.hours === undefined) throw new Error(`adopt gave no report: ${ended.stdout}\n${ended.stderr}`);
    return { ...ended, said };
  }

  run(args: readonly string[], env: Env = {}): Promise<Ended> {
    return runProgram(args, { ...this.env, ...env });
  }

  /** Without waiting for its end. */
  start(args: readonly string[] = []): { child: ChildProcess; ended: Promise<[number | null, NodeJS.Signals | null]> } {
    const child = spawn(process.execPath, [MAIN, 'adopt', this.from.address(this.source), ...args], {
      env: this.env,
      stdio: 'ignore',
    });
    const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      child.on('close', (code, signal) => resolve([code, signal]));
    });
    return { child, ended };
  }

  async status(start: Hour, end: Hour): Promise<Map<string, string>> {
    const range = ['--start', formatHour(start), '--end', formatHour(end)];
    const { hours } = (await this.run(['status', '--json', ...range])).report<StatusReport>();
    return new Map(hours.map(({ hour, state }) => [hour, state]));
  }

  async differences(): Promise<VerifyReport['differences']> {
    return (await this.run(['verify', '--deep', '--json'])).report<VerifyReport>().differences;
  }

  landed = () => this.to.read(this.destination);
}
