import { printable } from '../../format.ts';

/** Text that is HTML already. Everything else that goes into a page is escaped. */
export class Markup {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

export type Content = string | number | Markup | readonly Content[];

/** HTML around values. A name of a bucket may hold anything until somebody has checked it, so nothing passes unescaped. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(parts.map((part, at) => part + sourceOf(values[at] ?? '')).join(''));
}

function sourceOf(content: Content): string {
  if (content instanceof Markup) return content.source;
  if (typeof content === 'string' || typeof content === 'number') return escaped(String(content));
  return content.map(sourceOf).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** Text from outside as an island: a right-to-left mark in it does not turn the sentence around it. */
export function outside(text: string): Markup {
  return html`<bdi>${text}</bdi>`;
}

/** JSON for a script element: `</script>` or `<!--` in a text would end or change that element. */
export function scriptJson(value: unknown): Markup {
  const escapes = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return new Markup(JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, escapes));
}
