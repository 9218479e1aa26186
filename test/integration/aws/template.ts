import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse, YAMLMap, type YAMLSeq } from 'yaml';

export const TEMPLATE_FILE = resolve(import.meta.dirname, '../../../infra/aws/amplitude-landing.yaml');
export const TEMPLATE = readFileSync(TEMPLATE_FILE, 'utf8');

const FUNCTIONS = { Ref: 'Ref', ...fn('Sub', 'GetAtt', 'If', 'Equals', 'Not', 'And', 'Or') };

function fn(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, `Fn::${name}`]));
}

/** The short forms of CloudFormation (`!Ref X`) as the long ones (`{ Ref: X }`), which a test can compare. */
const customTags = Object.entries(FUNCTIONS).flatMap(([short, long]) => [
  { tag: `!${short}`, resolve: (text: string) => ({ [long]: text }) },
  {
    tag: `!${short}`,
    collection: 'seq' as const,
    resolve: (items: unknown) => {
      const map = new YAMLMap();
      map.set(long, items as YAMLSeq);
      return map;
    },
  },
]);

export interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Principal?: unknown;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: Record<string, Record<string, unknown>>;
}

export interface Template {
  readonly Parameters: Record<string, { Default: unknown; AllowedPattern?: string; AllowedValues?: string[] }>;
  readonly Rules: Record<string, unknown>;
  readonly Resources: Record<
    string,
    {
      readonly Type: string;
      readonly DeletionPolicy?: string;
      readonly UpdateReplacePolicy?: string;
      // biome-ignore lint/suspicious/noExplicitAny: each type has properties of its own
      readonly Properties: Record<string, any>;
    }
  >;
  readonly Outputs: Record<string, { readonly Value: unknown }>;
}

export const template = parse(TEMPLATE, { customTags }) as Template;

export function resource(name: string): Template['Resources'][string] {
  const found = template.Resources[name];
  if (found === undefined) throw new Error(`the template has no ${name}`);
  return found;
}

/** The statements of a managed policy, or of the policies inside a role. */
export function statementsOf(name: string): Statement[] {
  const { PolicyDocument, Policies = [{ PolicyDocument }] } = resource(name).Properties;
  return Policies.flatMap((policy: { PolicyDocument: { Statement: Statement[] } }) => policy.PolicyDocument.Statement);
}
