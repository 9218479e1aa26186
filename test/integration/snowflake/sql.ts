import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const FOLDER = resolve(import.meta.dirname, '../../../infra/snowflake');

/** The text of a file, its parameters filled in as Snowflake CLI would; a parameter without a value is an error there too. */
export function fill(file: string, values: Readonly<Record<string, string>> = {}): string {
  return readFileSync(`${FOLDER}/${file}`, 'utf8').replace(/<% ([a-z_]+) %>/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${file} needs a value for ${name}`);
    return value;
  });
}

/** One by one and without comments; the files have no semicolon in a text and no comment behind a statement. */
export function statementsOf(sql: string): string[] {
  return sql
    .replace(/^\s*--.*$/gm, '')
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}
