/** Help texts are put together in one way. */

/** The examples of a command: what to type, and what it is for. */
export function examples(...lines: readonly (readonly [command: string, meaning: string])[]): string {
  return `\nExamples:\n${lines.map(([command, meaning]) => `  $ ${command}\n      ${meaning}`).join("\n")}`;
}
