/** A worker that dies leaves nobody waiting, and says of each call what became of it. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { NO_METRICS } from "../../../../lib/ports/index.ts";
import type { ByteWriter, Encodable } from "../../../../lib/storage/embedded/codec.ts";
import { Link } from "../../../../lib/storage/embedded/link.ts";
import { REQUEST, readItem } from "../../../../lib/storage/embedded/protocol.ts";
import { systemClock } from "../../../../lib/storage/system/clock.ts";
import { inFolder } from "./support.ts";

const NO_SUCH_REQUEST = 31;

function put(link: Link, n: number): Promise<unknown> {
  const op: Encodable = { op: "put", key: { pk: "p", sk: "s" }, item: { n } };
  return link.call(REQUEST.write, (to) => to.value(op), readItem);
}

function get(link: Link): Promise<unknown> {
  const key = (to: ByteWriter): void => {
    to.varint(1);
    to.text("p");
    to.text("s");
  };
  return link.call(REQUEST.getMany, key, readItem);
}

const start = async (folder: string) =>
  (await Link.start({ path: join(folder, "db"), checkpointBytes: 0 }, systemClock, NO_METRICS)).link;

test("a worker that dies makes writes unknown, reads and later calls unavailable, and the data is there afterwards", () =>
  inFolder(async (folder) => {
    const link = await start(folder);
    expect(await put(link, 1)).toEqual({ n: 1 });
    const settled = await Promise.allSettled([
      link.call(
        NO_SUCH_REQUEST,
        () => undefined,
        () => undefined,
      ),
      put(link, 2),
      get(link),
    ]);
    expect(settled).toMatchObject([
      { reason: { kind: "unknown" } },
      { reason: { kind: "unknown", outcome: "unknown" } },
      { reason: { kind: "unavailable", outcome: "not_applied" } },
    ]);
    await expect(put(link, 3)).rejects.toMatchObject({ kind: "unavailable" });
    await link.close();
    const again = await start(folder);
    expect(await get(again)).toEqual({ n: 1 });
    await again.close();
  }));

test("a request that cannot be written is an error of its caller alone", () =>
  inFolder(async (folder) => {
    const link = await start(folder);
    const failing = link.call(
      REQUEST.write,
      (to) => {
        to.text("half");
        throw new TypeError("no such value");
      },
      readItem,
    );
    const [first, second] = await Promise.allSettled([failing, put(link, 1)]);
    expect(first).toMatchObject({ reason: { message: "no such value" } });
    expect(second).toMatchObject({ value: { n: 1 } });
    await link.close();
  }));

test("close waits for what was asked", () =>
  inFolder(async (folder) => {
    const link = await start(folder);
    const writes = Array.from({ length: 20 }, (_, n) => put(link, n));
    await link.close();
    expect((await Promise.all(writes)).at(-1)).toEqual({ n: 19 });
    await expect(get(link)).rejects.toMatchObject({ kind: "unavailable", message: "the storage is closed" });
  }));
