import { expect, test } from "vitest";
import { Fifo } from "../../../lib/client/fifo.ts";
import { Channel } from "../../../lib/client/reader/channel.ts";

test("a channel hands on in order and ends when all writers have ended", async () => {
  const channel = new Channel<number>(100, 2);
  await channel.push(1, 10);
  await channel.push(2, 10);
  channel.end();
  expect(await channel.pull()).toBe(1);
  expect(await channel.pull()).toBe(2);
  const last = channel.pull();
  channel.end();
  expect(await last).toBeUndefined();
});

test("a writer waits while the channel is full", async () => {
  const channel = new Channel<string>(15, 1);
  await channel.push("a", 10);
  let taken = false;
  const pushed = channel.push("b", 10).then(() => {
    taken = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(taken).toBe(false);
  expect(await channel.pull()).toBe("a");
  await pushed;
  expect(taken).toBe(true);
});

test("what was written before a failure is read before it is thrown", async () => {
  const channel = new Channel<string>(15, 1);
  await channel.push("a", 1);
  channel.fail(new Error("lost"));
  expect(await channel.pull()).toBe("a");
  await expect(channel.pull()).rejects.toThrow("lost");
});

test("stop lets waiting writers and the reader go", async () => {
  const channel = new Channel<string>(1, 1);
  const pushed = channel.push("a", 10);
  channel.stop();
  await pushed;
});

test("a queue keeps the order over any pushes and shifts", () => {
  const fifo = new Fifo<number>();
  let pushed = 0;
  let shifted = 0;
  for (let round = 0; round < 5000; round++) {
    for (let i = 0; i < round % 7; i++) fifo.push(pushed++);
    for (let i = 0; i < round % 5 && shifted < pushed; i++) {
      expect(fifo.peek()).toBe(shifted);
      expect(fifo.shift()).toBe(shifted++);
    }
    expect(fifo.size).toBe(pushed - shifted);
  }
});
