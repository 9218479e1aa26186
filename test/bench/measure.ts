import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';

/** What one run of a program took. */
export interface Measured {
  readonly wallS: number;
  readonly cpuS: number;
  readonly peakMb: number;
  readonly stdout: string;
}

/** Linux counts CPU time for /proc in hundredths of a second, on every architecture that Node.js runs on. */
const TICKS_PER_S = 100;
const POLL_MS = 20;

/**
 * Runs `command` to its end. CPU time is what the kernel adds to this process for a child that it has waited for, so it
 * is exact as long as no other child ends meanwhile; the peak is the child's own high-water mark, read every 20 ms.
 * Throws with the end of the program's output where it fails.
 */
export async function measure(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Measured> {
  const cpuBefore = childrenCpuS();
  const startedAt = performance.now();
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let peakKb = 0;
  const poll = setInterval(() => {
    peakKb = Math.max(peakKb, highWaterKb(child.pid));
  }, POLL_MS);
  const ended = once(child, 'exit').then(([code]) => ({ code: code as number | null, at: performance.now() }));
  try {
    const [{ code, at }, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    const cpuS = childrenCpuS() - cpuBefore;
    if (code !== 0) {
      throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${(stdout + stderr).slice(-4000)}`);
    }
    return { wallS: (at - startedAt) / 1000, cpuS, peakMb: peakKb / 1024, stdout };
  } finally {
    clearInterval(poll);
  }
}

/** User and system seconds that the process `pid` has used so far. */
export function cpuS(pid: number): number {
  const [user = 0, system = 0] = cpuFields(pid);
  return (user + system) / TICKS_PER_S;
}

function childrenCpuS(): number {
  const [, , user = 0, system = 0] = cpuFields(process.pid);
  return (user + system) / TICKS_PER_S;
}

/** utime, stime, cutime and cstime of proc_pid_stat(5). */
function cpuFields(pid: number): number[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the program's name in parentheses and may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).map(Number);
}

function highWaterKb(pid: number | undefined): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // it has just ended
  }
}

/** Starts a server that prints its URL as the first line and ends when its standard input does. */
export async function startServer(args: readonly string[]): Promise<{ url: string; pid: number; child: ChildProcess }> {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => {
      throw new Error(`${args.join(' ')} ended before it was ready`);
    }),
  ])) as [Buffer];
  return { url: line.toString().trim(), pid: child.pid ?? 0, child };
}
