import type { StatusReport } from './report.ts';

export async function statusPage(_report: StatusReport): Promise<string> {
  return '<html>' + JSON.stringify(_report);
}
