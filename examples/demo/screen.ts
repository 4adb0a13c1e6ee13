/** What goes on: lines that move where there is a terminal, lines that follow one another where there is none. */
import { styleText } from "node:util";
import { bytes, count, rate } from "../../lib/cli/ui/numbers.ts";
import { bar } from "../../lib/cli/ui/progress.ts";

export class Meter {
  readonly name: string;
  readonly total: number;
  done = 0;
  doneBytes = 0;
  #startedAtMs = performance.now();
  #endedAtMs: number | undefined;

  constructor(name: string, total: number) {
    this.name = name;
    this.total = total;
  }

  begin(): void {
    this.#startedAtMs = performance.now();
  }

  add(records: number, sizeBytes: number): void {
    this.done += records;
    this.doneBytes += sizeBytes;
    if (this.done >= this.total) this.#endedAtMs ??= performance.now();
  }

  get elapsedMs(): number {
    return (this.#endedAtMs ?? performance.now()) - this.#startedAtMs;
  }

  line(): string {
    const ms = this.elapsedMs;
    const share = this.total === 0 ? 1 : this.done / this.total;
    const speed = `${count(Math.round(rate(this.done, ms)))}/s  ${bytes(rate(this.doneBytes, ms))}/s`;
    return `${this.name.padEnd(9)} ${bar(share)}  ${count(this.done)} flights  ${speed}`;
  }
}

export class Screen {
  readonly #isTty: boolean;
  #meters: readonly Meter[] = [];
  #painted = 0;
  #timer: NodeJS.Timeout | undefined;
  #told = new Map<Meter, number>();

  constructor() {
    this.#isTty = process.stdout.isTTY === true;
  }

  /** Prints a line above the meters. */
  say(text: string): void {
    this.#erase();
    process.stdout.write(`${text}\n`);
    this.#paint();
  }

  good(text: string): void {
    this.say(`${styleText("green", "✓")} ${text}`);
  }

  bad(text: string): void {
    this.say(`${styleText("red", "✗")} ${text}`);
  }

  watch(...meters: Meter[]): void {
    this.#erase();
    this.#meters = meters;
    this.#timer ??= setInterval(() => this.#tick(), this.#isTty ? 80 : 250);
    this.#paint();
  }

  /** Leaves the meters as they are. */
  unwatch(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#erase();
    for (const meter of this.#meters) process.stdout.write(`${meter.line()}\n`);
    this.#meters = [];
    this.#painted = 0;
  }

  #tick(): void {
    if (this.#isTty) {
      this.#erase();
      this.#paint();
      return;
    }
    // A line for each quarter.
    for (const meter of this.#meters) {
      const quarter = Math.floor((4 * meter.done) / Math.max(1, meter.total));
      if (quarter < 1 || quarter > 3 || this.#told.get(meter) === quarter) continue;
      this.#told.set(meter, quarter);
      process.stdout.write(`${meter.line()}\n`);
    }
  }

  #erase(): void {
    if (this.#painted > 0) process.stdout.write(`\u001b[${this.#painted}A\u001b[J`);
    this.#painted = 0;
  }

  #paint(): void {
    if (!this.#isTty || this.#meters.length === 0) return;
    const width = (process.stdout.columns ?? 80) - 1;
    for (const meter of this.#meters) process.stdout.write(`${meter.line().slice(0, width)}\n`);
    this.#painted = this.#meters.length;
  }
}
