import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse, stringify } from 'yaml';

const README = readFileSync(resolve(import.meta.dirname, '../../../kestra/README.md'), 'utf8');

interface Task {
  readonly id: string;
  tasks: object[];
}

interface Flow {
  tasks: Task[];
}

/** The block of the README that is marked `# extension: NAME`. */
export function block<T>(name: string): T {
  const [, found] = new RegExp(`\`\`\`yaml\\n# extension: ${name}\\n(.*?)\`\`\``, 's').exec(README) ?? [];
  if (found === undefined) throw new Error(`kestra/README.md has no extension named ${name}`);
  return parse(found) as T;
}

/** A flow with all extensions of the README at the places that it names. */
export function extended(source: string): string {
  const flow = parse(source) as Flow;
  const [workspace] = flow.tasks;
  const [parallel] = block<[Task]>('parallel');
  if (workspace === undefined) throw new Error('the flow has no tasks');
  Object.assign(workspace, block<object>('condition'));
  workspace.tasks.push(...block<object[]>('validation'), ...block<object[]>('notification'));
  flow.tasks = [{ ...parallel, tasks: [...parallel.tasks, workspace] }];
  return stringify(flow);
}
