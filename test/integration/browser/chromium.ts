import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAM = process.env.CHROMIUM ?? 'chromium';

/** Skips the suite, and says why, where there is no Chromium. */
export function needChromium(suite: Mocha.Context): void {
  const { error, status } = spawnSync(PROGRAM, ['--version'], { stdio: 'ignore' });
  if (error === undefined && status === 0) return;
  process.stderr.write(`    SKIPPED: ${PROGRAM} does not start; install chromium or set CHROMIUM\n`);
  suite.skip();
}

type Params = Readonly<Record<string, unknown>>;

interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Params;
  readonly result?: Params;
  readonly error?: { readonly message: string };
}

/** A headless Chromium, spoken to in its own DevTools protocol: Node.js has a WebSocket, so that takes no package. */
export class Chromium {
  readonly #process: ChildProcess;
  readonly #socket: WebSocket;
  readonly #folder: string;
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #tabs = new Map<string, Tab>();
  #sent = 0;

  private constructor(process: ChildProcess, socket: WebSocket, folder: string) {
    this.#process = process;
    this.#socket = socket;
    this.#folder = folder;
    socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(String(data)) as Message));
  }

  static async start(): Promise<Chromium> {
    const folder = mkdtempSync(join(tmpdir(), 'chromium-'));
    const flags = ['--headless=new', '--remote-debugging-port=0', `--user-data-dir=${folder}`, '--hide-scrollbars'];
    // As root, as in most containers, Chromium refuses to start with its sandbox.
    if (process.getuid?.() === 0) flags.push('--no-sandbox');
    const child = spawn(PROGRAM, [...flags, '--disable-gpu', '--disable-dev-shm-usage', 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const address = await new Promise<string>((found, failed) => {
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const [, url] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
        if (url !== undefined) found(url);
      });
      child.on('error', failed);
      child.on('exit', () => failed(new Error(`${PROGRAM} ended: ${said.slice(-500)}`)));
    });
    const socket = new WebSocket(address);
    await new Promise((opened, failed) => {
      socket.addEventListener('open', opened);
      socket.addEventListener('error', failed);
    });
    return new Chromium(child, socket, folder);
  }

  async send(method: string, params: Params = {}, sessionId?: string): Promise<Params> {
    const id = ++this.#sent;
    const answer = new Promise<Message>((answered) => this.#answers.set(id, answered));
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    const { error, result = {} } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  #hear(message: Message): void {
    if (message.id !== undefined) {
      this.#answers.get(message.id)?.(message);
      this.#answers.delete(message.id);
    } else this.#tabs.get(message.sessionId ?? '')?.hear(message.method ?? '', message.params ?? {});
  }

  async open(url: string, screen: Screen): Promise<Tab> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const tab = new Tab((method, params) => this.send(method, params, sessionId as string));
    this.#tabs.set(sessionId as string, tab);
    await tab.load(url, screen);
    return tab;
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.#process.once('exit', done));
    await this.send('Browser.close').catch(() => this.#process.kill());
    await ended;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export interface Screen {
  readonly width: number;
  readonly height: number;
  readonly theme: 'light' | 'dark';
  /** A phone: touch, three device pixels to one. */
  readonly phone: boolean;
}

export class Tab {
  /** Errors and warnings on the console, exceptions, and what the content security policy has stopped. */
  readonly complaints: string[] = [];
  /** All that was asked for but the page itself. */
  readonly requests: string[] = [];
  readonly send: (method: string, params?: Params) => Promise<Params>;
  #loaded = () => {};

  constructor(send: Tab['send']) {
    this.send = send;
  }

  hear(method: string, params: Params): void {
    if (method === 'Page.loadEventFired') this.#loaded();
    else if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params.exceptionDetails));
    else if (method === 'Runtime.consoleAPICalled' && ['error', 'warning', 'assert'].includes(params.type as string)) {
      this.complaints.push(JSON.stringify(params.args));
    } else if (method === 'Log.entryAdded') this.complaints.push(JSON.stringify(params.entry));
    else if (method === 'Network.requestWillBeSent' && params.type !== 'Document') {
      this.requests.push((params.request as { url: string }).url);
    }
  }

  async load(url: string, screen: Screen): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.send(`${domain}.enable`);
    const { width, height, phone } = screen;
    const deviceScaleFactor = phone ? 3 : 1;
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor, mobile: phone });
    await this.send('Emulation.setTouchEmulationEnabled', { enabled: phone });
    await this.theme(screen.theme);
    await this.#until('Page.navigate', { url });
    await this.settle();
  }

  reload(): Promise<void> {
    return this.#until('Page.reload');
  }

  async #until(method: string, params?: Params): Promise<void> {
    const loaded = new Promise<void>((done) => {
      this.#loaded = done;
    });
    await this.send(method, params);
    await loaded;
  }

  async theme(theme: Screen['theme'], media = ''): Promise<void> {
    await this.send('Emulation.setEmulatedMedia', {
      media,
      features: [{ name: 'prefers-color-scheme', value: theme }],
    });
  }

  /** Two frames: what was to be drawn has been. */
  async settle(): Promise<void> {
    await this.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
  }

  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    const { result, exceptionDetails } = answer as { result: { value: T }; exceptionDetails?: unknown };
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  }

  /** The mouse, or a finger on a phone, at a point of the viewport. */
  async point(x: number, y: number, phone: boolean): Promise<void> {
    if (phone) {
      await this.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x, y }] });
      await this.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
    } else await this.send('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y });
    await this.settle();
  }

  /** PNG of the whole page, or of the viewport alone. */
  async screenshot({ whole }: { readonly whole: boolean }): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: whole });
    return Buffer.from(data as string, 'base64');
  }
}
