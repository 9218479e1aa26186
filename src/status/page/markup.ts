import { printable } from '../../format.ts';

/** Text that is HTML already. Everything else that goes into a page is escaped. */
export class Markup {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

export type Content = string | number | Markup | readonly Content[];

/** HTML around values. The name of a bucket may hold anything until it has been checked, so every value is escaped. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(parts.map((part, i) => part + sourceOf(values[i] ?? '')).join(''));
}

function sourceOf(content: Content): string {
  if (content instanceof Markup) return content.source;
  if (typeof content === 'string' || typeof content === 'number') return escaped(String(content));
  return content.map(sourceOf).join('');
}

function escaped(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Text from outside as an island: a right-to-left mark in it does not turn the sentence around it. */
export function outside(text: string): Markup {
  return html`<bdi>${text}</bdi>`;
}

/** A shell command. On a phone it breaks between flags, not within an hour. */
export function command(text: string): Markup {
  return html`<code class="command">${text.split(/ (?=--)/).map((part) => html`<span>${part}</span> `)}</code>`;
}
