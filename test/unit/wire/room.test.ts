import { setImmediate as immediately } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Reader, Room } from "../../../lib/wire/tcp/room.ts";

class TestReader implements Reader {
  isInsideFrame = false;
  mayRead = true;
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
    room.enter(this);
  }

  review(): void {
    this.mayRead = this.#room.mayRead(this);
  }
}

test("frames in their middle that fill their share stop each other, save one at a time, and nobody else", () => {
  const room = new Room(400);
  const readers = Array.from({ length: 5 }, () => new TestReader(room));
  const [first, second, third] = readers as [TestReader, TestReader, TestReader];
  first.isInsideFrame = true;
  second.isInsideFrame = true;
  room.hold(0, 120);
  expect(readers.map((reader) => reader.mayRead)).toEqual([true, false, true, true, true]);
  expect(room.isChosen(first)).toBe(true);
  // Its frame is whole: the next one's turn.
  first.isInsideFrame = false;
  room.hold(70, -70);
  room.hold(0, 60);
  room.step(first);
  first.review();
  expect(readers.map((reader) => reader.mayRead)).toEqual([true, true, true, true, true]);
  expect(room.isChosen(second)).toBe(true);
  third.isInsideFrame = true;
  third.review();
  expect(third.mayRead).toBe(false);
  room.leave(second);
  expect(third.mayRead).toBe(true);
});

test("whole frames and answers that fill their share stop all", () => {
  const room = new Room(400);
  const readers = Array.from({ length: 3 }, () => new TestReader(room));
  (readers[0] as TestReader).isInsideFrame = true;
  room.hold(300, 100);
  expect(readers.map((reader) => reader.mayRead)).toEqual([false, false, false]);
  room.hold(-10, 0);
  expect((readers[0] as TestReader).mayRead).toBe(true);
});

test("all read again when there is room, a few at a time", async () => {
  const room = new Room((65_536 * 8) / 3);
  const readers = Array.from({ length: 7 }, () => new TestReader(room));
  room.hold(65_536 * 3, 0);
  expect(readers.filter((reader) => reader.mayRead)).toHaveLength(0);
  room.hold(-65_536 * 2, 0);
  expect(readers.filter((reader) => reader.mayRead)).toHaveLength(1);
  // One that asks out of turn is not let in before the others.
  readers[6]?.review();
  expect(readers[6]?.mayRead).toBe(false);
  for (let i = 0; i < 7; i++) await immediately();
  expect(readers.filter((reader) => reader.mayRead)).toHaveLength(7);
});
