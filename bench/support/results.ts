/** What the servers of one run were measured at, round by round; its table and its file. */
import { mkdirSync, writeFileSync } from "node:fs";
import type { Measured } from "../load/order.ts";
import { median } from "./median.ts";
import { printTable, type Row } from "./table.ts";

export class Results {
  /** By what was measured, then by the server; both in the order in which they came first. */
  readonly #measured = new Map<string, Map<string, Measured[]>>();

  note(server: string, what: string, measured: Measured): void {
    const servers = this.#measured.get(what) ?? new Map<string, Measured[]>();
    this.#measured.set(what, servers.set(server, [...(servers.get(server) ?? []), measured]));
    process.stderr.write(".");
  }

  /** Medians over the rounds. The first server of a row is what the others are compared with, by what they do in a second. */
  rows(): Row[] {
    return [...this.#measured].flatMap(([what, servers]) => {
      const first = median([...servers.values()][0]?.map((one) => one.perSecond) ?? []);
      return [...servers].map(([server, measured], place) => {
        const perSecond = median(measured.map((one) => one.perSecond));
        return {
          name: `${what}: ${server}`,
          target: place === 0 || !first || perSecond === undefined ? "" : `${(perSecond / first).toFixed(2)} x`,
          perSecond,
          megabytesPerSecond: median(measured.map((one) => one.megabytesPerSecond)),
          p50Ms: median(measured.map((one) => one.p50Ms)),
          p99Ms: median(measured.map((one) => one.p99Ms)),
        };
      });
    });
  }

  /** Prints the table, or with `json` what is also written to `bench/results/{name}.json`. */
  tell(name: string, settings: object, json: boolean): void {
    const rows = this.rows();
    const text = JSON.stringify({ node: process.version, ...settings, rows }, null, 2);
    process.stderr.write("\n");
    if (json) console.log(text);
    else printTable(rows, "to the first");
    const folder = new URL("../results/", import.meta.url);
    mkdirSync(folder, { recursive: true });
    writeFileSync(new URL(`${name}.json`, folder), `${text}\n`);
  }
}
