import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse, stringify } from 'yaml';

const README = readFileSync(resolve(import.meta.dirname, '../../../kestra/README.md'), 'utf8');

interface Flow {
  tasks: object[];
}

/** The text of the README's block that is marked `# extension: NAME`. */
export function blockText(name: string): string {
  const [, found] = new RegExp(`\`\`\`yaml\\n# extension: ${name}\\n(.*?)\`\`\``, 's').exec(README) ?? [];
  if (found === undefined) throw new Error(`kestra/README.md has no extension named ${name}`);
  return found;
}

export const block = <T>(name: string) => parse(blockText(name)) as T;

/** A flow with all extensions of the README at the places that it names. */
export function extended(source: string): string {
  const flow = parse(source) as Flow;
  const [first, ...rest] = flow.tasks;
  const [parallel] = block<[{ tasks: object[] }]>('parallel');
  const conditional = { ...first, ...block<object>('condition') };
  flow.tasks = [
    { ...parallel, tasks: [...parallel.tasks, conditional] },
    ...rest,
    ...block<object[]>('validation'),
    ...block<object[]>('notification'),
  ];
  return stringify(flow);
}
