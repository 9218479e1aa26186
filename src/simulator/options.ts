import type { Fault } from './faults.ts';
import { DEFAULT_TRAFFIC } from './traffic.ts';

export interface SimulatorOptions {
  /** 0, the default, takes any free port. */
  readonly port?: number;
  readonly host?: string;
  /** The data follow from it and the hour alone. */
  readonly seed?: number;
  /** The mean of a busy hour. */
  readonly eventsPerHour?: number;
  readonly apiKey?: string;
  readonly secretKey?: string;
  readonly project?: string;
  /** Tells which hours are ready. */
  readonly now?: () => Date;
  readonly faults?: readonly Fault[];
  /** How the zip holds its members, which are gzip files already. */
  readonly compression?: 'stored' | 'deflated';
  /** 0 to 9; a low one makes archives of gigabytes quickly. */
  readonly gzipLevel?: number;
  /** A longer window gets the 400 about 4 GB. */
  readonly tooLargeHours?: number;
  /** Announce the length of every archive, which is chunked otherwise. */
  readonly contentLength?: boolean;
}

export type Settings = Required<SimulatorOptions>;

export const DEFAULTS = {
  ...DEFAULT_TRAFFIC,
  port: 0,
  host: '127.0.0.1',
  apiKey: 'simulator-key',
  secretKey: 'simulator-secret',
  now: () => new Date(),
  faults: [],
  compression: 'stored',
  gzipLevel: 6,
  tooLargeHours: Infinity,
  contentLength: false,
} as const satisfies Settings;
