/**
 * Regular expressions over topic names, as RE2 reads them: whole names, in time that grows with the length of the name
 * alone, whatever the expression. Topic names are ASCII, so are the classes here. What RE2 has beyond this (flags, Unicode
 * classes, `\b`) is refused with `invalid_regular_expression`, as are backreferences and lookaround, which it refuses itself.
 *
 * The expression becomes a machine of at most 10,000 states that is run in all its states at once (Thompson, 1968).
 */
import { BrokerlessError } from "../../base/errors.ts";

const STATES_MOST = 10_000;
const REPEAT_MOST = 1_000;
const EXPRESSION_MOST = 1_000;

type Node =
  | { readonly kind: "char"; readonly fits: (code: number) => boolean }
  | { readonly kind: "all"; readonly of: readonly Node[] }
  | { readonly kind: "any"; readonly of: readonly Node[] }
  | { readonly kind: "repeat"; readonly of: Node; readonly least: number; readonly most: number };

/** A state takes a character and goes on, or goes on by itself (to one or two others), or is the end. */
type State = { fits?: (code: number) => boolean; next: number[] };

/** Says of names whether they match. Throws `invalid_regular_expression`. */
export function compileRegex(expression: string): (name: string) => boolean {
  if (expression.length > EXPRESSION_MOST) throw refused(expression, `is longer than ${EXPRESSION_MOST} characters`);
  const node = new Parser(expression).whole();
  const states: State[] = [];
  const end = add(states, { next: [] }, expression);
  const start = build(states, node, end, expression);
  return (name) => {
    let now = reach(states, [start]);
    for (let i = 0; i < name.length && now.size > 0; i++) {
      const code = name.charCodeAt(i);
      const next: number[] = [];
      for (const at of now) {
        const state = states[at] as State;
        if (state.fits?.(code) === true) next.push(...state.next);
      }
      now = reach(states, next);
    }
    return now.has(end);
  };
}

function reach(states: readonly State[], from: readonly number[]): Set<number> {
  const seen = new Set<number>();
  const open = [...from];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    const state = states[at] as State;
    if (state.fits === undefined) open.push(...state.next);
  }
  return seen;
}

function add(states: State[], state: State, expression: string): number {
  if (states.length >= STATES_MOST) throw refused(expression, `needs more than ${STATES_MOST} states`);
  return states.push(state) - 1;
}

/** The first state of a machine for the node that goes on to `next`. */
function build(states: State[], node: Node, next: number, expression: string): number {
  switch (node.kind) {
    case "char":
      return add(states, { fits: node.fits, next: [next] }, expression);
    case "all":
      return node.of.reduceRight((after, one) => build(states, one, after, expression), next);
    case "any":
      return add(states, { next: node.of.map((one) => build(states, one, next, expression)) }, expression);
    case "repeat": {
      let at = next;
      if (node.most === Number.POSITIVE_INFINITY) {
        const loop = add(states, { next: [next] }, expression);
        (states[loop] as State).next.push(build(states, node.of, loop, expression));
        at = loop;
      } else {
        for (let i = node.least; i < node.most; i++) {
          at = add(states, { next: [next, build(states, node.of, at, expression)] }, expression);
        }
      }
      for (let i = 0; i < node.least; i++) at = build(states, node.of, at, expression);
      return at;
    }
  }
}

function refused(expression: string, why: string): BrokerlessError {
  return new BrokerlessError("invalid_regular_expression", `regular expression "${expression.slice(0, 100)}" ${why}`, {
    field: "subscribed_topic_regex",
  });
}

type Fits = (code: number) => boolean;
const digit: Fits = (code) => code >= 48 && code <= 57;
const word: Fits = (code) => digit(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
const space: Fits = (code) => code === 32 || (code >= 9 && code <= 13 && code !== 11);
const not =
  (fits: Fits): Fits =>
  (code) =>
    !fits(code);
const CLASSES: Readonly<Record<string, Fits>> = { d: digit, w: word, s: space, D: not(digit), W: not(word), S: not(space) };

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Node {
    const node = this.#alternatives(0);
    if (this.#at < this.#text.length) throw this.#wrong("has a ) without a (");
    return node;
  }

  #wrong(why: string): BrokerlessError {
    return refused(this.#text, why);
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #alternatives(depth: number): Node {
    if (depth > 100) throw this.#wrong("is nested more than 100 deep");
    const of: Node[] = [this.#sequence(depth)];
    while (this.#peek() === "|") {
      this.#at++;
      of.push(this.#sequence(depth));
    }
    return of.length === 1 ? (of[0] as Node) : { kind: "any", of };
  }

  #sequence(depth: number): Node {
    const of: Node[] = [];
    for (let next = this.#peek(); next !== undefined && next !== "|" && next !== ")"; next = this.#peek()) {
      if (next === "^" || next === "$") {
        // Whole names are matched, so at either end they say nothing; elsewhere nothing could match.
        const first =
          next === "^" &&
          (this.#at === 0 || "(|".includes(this.#text[this.#at - 1] as string) || this.#text.slice(0, this.#at).endsWith("(?:"));
        const last = next === "$" && (this.#at === this.#text.length - 1 || ")|".includes(this.#text[this.#at + 1] as string));
        if (!first && !last) throw this.#wrong(`has a ${next} in the middle`);
        this.#at++;
        continue;
      }
      of.push(this.#repeated(this.#atom(depth)));
    }
    return { kind: "all", of };
  }

  #repeated(node: Node): Node {
    const rest = this.#text.slice(this.#at);
    const found = /^(?:[*+?]|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})/.exec(rest);
    if (found === null) return node;
    this.#at += found[0].length;
    // Lazy or not makes no difference to whether a name matches.
    if (this.#peek() === "?") this.#at++;
    if (/^[*+?]/.test(this.#text.slice(this.#at))) throw this.#wrong("repeats a repetition");
    const [sign, from, comma, to] = found;
    const least = from === undefined ? (sign === "+" ? 1 : 0) : Number(from);
    const most =
      from === undefined
        ? sign === "?"
          ? 1
          : Number.POSITIVE_INFINITY
        : comma === undefined
          ? least
          : to === undefined
            ? Number.POSITIVE_INFINITY
            : Number(to);
    if (least > REPEAT_MOST || (most !== Number.POSITIVE_INFINITY && most > REPEAT_MOST) || most < least) {
      throw this.#wrong(`repeats ${sign}; up to ${REPEAT_MOST} times are taken, the smaller number first`);
    }
    return { kind: "repeat", of: node, least, most };
  }

  #atom(depth: number): Node {
    const next = this.#text[this.#at++] as string;
    if (next === "(") {
      if (this.#peek() === "?") {
        if (this.#text[this.#at + 1] !== ":") throw this.#wrong("has a group (? that is not (?:");
        this.#at += 2;
      }
      const node = this.#alternatives(depth + 1);
      if (this.#text[this.#at++] !== ")") throw this.#wrong("has a ( without a )");
      return node;
    }
    if (next === "[") return { kind: "char", fits: this.#class() };
    if (next === ".") return { kind: "char", fits: (code) => code !== 10 };
    if (next === "\\") return { kind: "char", fits: this.#escape() };
    if ("*+?".includes(next)) throw this.#wrong(`has a ${next} that repeats nothing`);
    const code = next.charCodeAt(0);
    return { kind: "char", fits: (other) => other === code };
  }

  #escape(): Fits {
    const next = this.#text[this.#at++];
    if (next === undefined) throw this.#wrong("ends in a \\");
    const known = CLASSES[next];
    if (known !== undefined) return known;
    if (/[a-zA-Z0-9]/.test(next)) throw this.#wrong(`has \\${next}, which is not taken here`);
    const code = next.charCodeAt(0);
    return (other) => other === code;
  }

  #class(): Fits {
    const negated = this.#peek() === "^";
    if (negated) this.#at++;
    const fits: Fits[] = [];
    for (let first = true; ; first = false) {
      const next = this.#text[this.#at++];
      if (next === undefined) throw this.#wrong("has a [ without a ]");
      if (next === "]" && !first) break;
      if (next === "[" && this.#peek() === ":") throw this.#wrong("has a [: :] class, which is not taken here");
      if (next === "\\") {
        fits.push(this.#escape());
        continue;
      }
      const low = next.charCodeAt(0);
      let high = low;
      if (this.#peek() === "-" && this.#text[this.#at + 1] !== "]" && this.#text[this.#at + 1] !== undefined) {
        this.#at++;
        const end = this.#text[this.#at++] as string;
        if (end === "\\") throw this.#wrong("has a range that ends in an escape");
        high = end.charCodeAt(0);
        if (high < low) throw this.#wrong(`has the range ${next}-${end}`);
      }
      fits.push((code) => code >= low && code <= high);
    }
    const any: Fits = (code) => fits.some((one) => one(code));
    return negated ? not(any) : any;
  }
}
