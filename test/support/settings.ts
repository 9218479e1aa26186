import type { S3Settings } from '../../src/config/settings.ts';
import type { Log } from '../../src/log.ts';

export interface HeardLog extends Log {
  readonly lines: { level: string; message: string }[];
}

/** A log that keeps its messages. */
export function hearingLog(): HeardLog {
  const lines: { level: string; message: string }[] = [];
  const hear = (level: string) => (message: string) => void lines.push({ level, message });
  return {
    lines,
    debug: hear('debug'),
    info: hear('info'),
    warn: hear('warn'),
    error: hear('error'),
    failure: (error) => void lines.push({ level: 'error', message: (error as Error).message }),
  };
}

export function s3Settings(endpoint: string, changed: Partial<S3Settings> = {}): S3Settings {
  return {
    credentials: { accessKeyId: 'testak', secretAccessKey: 'testsecret' },
    region: 'us-east-1',
    endpoint,
    kmsKeyId: undefined,
    sse: undefined,
    profile: undefined,
    addressing: undefined,
    proxyEnv: {},
    maxAttempts: 3,
    ...changed,
  };
}
