import { type ChildProcess, spawn } from 'node:child_process';
import type { AdoptReport } from '../../../src/adopt/report.ts';
import type { Command } from '../../../src/cli/command.ts';
import { COMMANDS } from '../../../src/commands/all.ts';
import type { ExportReport } from '../../../src/export/report.ts';
import { formatHour, type Hour } from '../../../src/hours.ts';
import type { StatusReport } from '../../../src/status/report.ts';
import type { VerifyReport } from '../../../src/verify/report.ts';
import { runInProcess } from '../in-process.ts';
import { MAIN } from '../program.ts';
import type { Store } from './stores.ts';

type Env = Readonly<Record<string, string>>;

interface Ran {
  readonly code: number;
  /** What it logged. */
  readonly stderr: string;
  report<T = ExportReport>(): T;
}

export interface Adopted extends Ran {
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

  /** With `--json`. */
  async adopt(args: readonly string[] = [], env: Env = {}): Promise<Adopted> {
    const ended = await this.run(['adopt', this.from.address(this.source), ...args], env);
    return { ...ended, said: ended.report<AdoptReport>() };
  }

  /** A command with `--json`, in this process: hundreds run here. */
  async run([name, ...args]: readonly [keyof typeof COMMANDS, ...string[]], env: Env = {}): Promise<Ran> {
    const command = (await COMMANDS[name]()) as unknown as Command;
    const { code, stderr, report } = await runInProcess(command, args, { ...this.env, ...env });
    return { code, stderr, report: <T = ExportReport>() => report as T };
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
    const { hours } = (await this.run(['status', ...range])).report<StatusReport>();
    return new Map(hours.map(({ hour, state }) => [hour, state]));
  }

  async differences(flags: readonly string[] = ['--deep']): Promise<VerifyReport['differences']> {
    return (await this.run(['verify', ...flags])).report<VerifyReport>().differences;
  }

  landed = () => this.to.read(this.destination);
}
