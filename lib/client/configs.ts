/** Configs of topics and groups, as the server's answers have them and its requests want them. */

/** One config, with what holds. */
export interface Config {
  readonly name: string;
  readonly value: string;
  readonly isDefault: boolean;
}

export function configOf(one: Readonly<Record<string, unknown>>): Config {
  return { name: String(one["name"]), value: String(one["value"]), isDefault: one["is_default"] === true };
}

/** Text sets, null goes back to the default. */
export function configChanges(changes: Readonly<Record<string, string | null>>): unknown {
  return {
    data: Object.entries(changes).map(([name, value]) =>
      value === null ? { name, operation: "DELETE" } : { name, value, operation: "SET" },
    ),
  };
}
