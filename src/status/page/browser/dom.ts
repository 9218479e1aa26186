/**
 * The parts of a browser that the page's script touches. TypeScript's own DOM library would hold for the whole program, which
 * runs without a browser: `name`, `status` or `close` would pass there as variables that nobody has declared.
 */
export interface PageElement {
  textContent: string;
  className: string;
  hidden: boolean;
  scrollLeft: number;
  readonly offsetWidth: number;
  readonly offsetHeight: number;
  readonly clientWidth: number;
  readonly parentElement: PageElement;
  readonly previousElementSibling: PageElement;
  readonly classList: { add(name: string): void; remove(name: string): void };
  readonly dataset: Readonly<Record<string, string | undefined>>;
  readonly style: Record<'height' | 'width' | 'left' | 'top', string>;
  append(...nodes: readonly PageElement[]): void;
  replaceChildren(...nodes: readonly PageElement[]): void;
  matches(selector: string): boolean;
  getBoundingClientRect(): { readonly left: number; readonly top: number };
  addEventListener(name: string, listener: (event: { readonly target: PageElement }) => void): void;
}

export interface PageCanvas extends PageElement {
  width: number;
  height: number;
  getContext(kind: '2d'): Context;
}

export interface PageDocument {
  readonly documentElement: PageElement;
  createElement(name: string): PageElement;
  getElementById(id: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageCanvas>;
  addEventListener(name: string, listener: (event: { readonly target: PageElement }) => void): void;
  createRange(): { selectNodeContents(node: PageElement): void };
  execCommand(command: 'copy'): boolean;
}

export interface PageWindow {
  readonly innerWidth: number;
  readonly innerHeight: number;
  readonly devicePixelRatio: number;
  readonly navigator: { readonly clipboard?: { writeText(text: string): Promise<void> } };
  getComputedStyle(element: PageElement): { getPropertyValue(name: string): string };
  getSelection(): { removeAllRanges(): void; addRange(range: unknown): void };
  matchMedia(query: string): { addEventListener(name: 'change', listener: () => void): void };
  addEventListener(
    name: string,
    listener: () => void,
    options?: { readonly passive: boolean; readonly capture: boolean },
  ): void;
}

export interface Context {
  fillStyle: string;
  strokeStyle: string;
  lineWidth: number;
  lineCap: 'round' | 'butt';
  save(): void;
  restore(): void;
  scale(x: number, y: number): void;
  clip(): void;
  beginPath(): void;
  rect(x: number, y: number, width: number, height: number): void;
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  arc(x: number, y: number, radius: number, from: number, to: number): void;
  fill(): void;
  stroke(): void;
  fillRect(x: number, y: number, width: number, height: number): void;
}
