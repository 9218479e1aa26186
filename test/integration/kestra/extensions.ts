import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse, stringify } from 'yaml';

const FOLDER = resolve(import.meta.dirname, '../../../kestra');
const PAGES = ['README.md', 'extending.md'].map((name) => readFileSync(`${FOLDER}/${name}`, 'utf8')).join('');

interface Flow {
  tasks: object[];
}

/** The text of the block of kestra's pages that is marked `# extension: NAME`. */
export function blockText(name: string): string {
  const [, found] = new RegExp(`\`\`\`yaml\\n# extension: ${name}\\n(.*?)\`\`\``, 's').exec(PAGES) ?? [];
  if (found === undefined) throw new Error(`kestra/ has no extension named ${name}`);
  return found;
}

export const block = <T>(name: string) => parse(blockText(name)) as T;

/** A flow with all extensions of the page at the places that it names. */
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
