/**
 * Configs by Kafka's names: every value is text, as Kafka has them; unknown names and impossible values are refused by
 * name. Topics and groups have a table each, in which a config is one entry.
 */
import { BrokerlessError } from "../base/errors.ts";
import type { ConfigEntry } from "./types.ts";

export interface ConfigRule {
  readonly type: "long" | "int" | "double" | "list" | "string";
  readonly defaultValue: string;
  readonly documentation: string;
  /** Answers what a value must be, when it is not. */
  readonly refuses: (value: string) => string | undefined;
}

/** What was set: name to value. */
export type Configs = Readonly<Record<string, string>>;
/** Name to value, or to null: back to the default. */
export type ConfigChanges = Readonly<Record<string, string | null>>;

export function whole(min: number, max: number): ConfigRule["refuses"] {
  return (value) => {
    const number = Number(value);
    const fits = /^-?\d{1,16}$/.test(value) && number >= min && number <= max && Number.isSafeInteger(number);
    return fits ? undefined : `a whole number from ${min} to ${max}`;
  };
}

export function oneOf(...words: readonly string[]): ConfigRule["refuses"] {
  return (value) => (words.includes(value) ? undefined : `one of ${words.join(", ")}`);
}

/** The configs that one kind of thing has. */
export class ConfigRules {
  readonly #what: string;
  readonly #rules: Readonly<Record<string, ConfigRule>>;

  /** `what` has these configs: `topic`. */
  constructor(what: string, rules: Readonly<Record<string, ConfigRule>>) {
    this.#what = what;
    this.#rules = rules;
  }

  /** Throws `invalid_config` for the first name that is unknown or value that cannot be. */
  check(configs: Configs): void {
    for (const [name, value] of Object.entries(configs)) {
      const wanted = this.#known(name).refuses(value);
      if (wanted !== undefined) {
        throw new BrokerlessError("invalid_config", `${this.#what} config ${name} is "${value}"; it takes ${wanted}`, {
          field: `configs.${name}`,
        });
      }
    }
  }

  /** The configs after a change. Throws `invalid_config`. */
  changed(configs: Configs, changes: ConfigChanges): Record<string, string> {
    const after: Record<string, string> = { ...configs };
    for (const [name, value] of Object.entries(changes)) {
      this.#known(name);
      if (value === null) delete after[name];
      else after[name] = value;
    }
    this.check(after);
    return after;
  }

  /** What holds: the value that was set, or the default. */
  valueOf(configs: Configs, name: string): string {
    return configs[name] ?? this.#known(name).defaultValue;
  }

  numberOf(configs: Configs, name: string): number {
    return Number(this.valueOf(configs, name));
  }

  describe(configs: Configs): ConfigEntry[] {
    return Object.entries(this.#rules).map(([name, rule]) => ({
      name,
      value: configs[name] ?? rule.defaultValue,
      defaultValue: rule.defaultValue,
      isDefault: configs[name] === undefined,
      documentation: rule.documentation,
      type: rule.type,
    }));
  }

  #known(name: string): ConfigRule {
    const rule = Object.hasOwn(this.#rules, name) ? this.#rules[name] : undefined;
    if (rule === undefined) {
      const known = Object.keys(this.#rules).join(", ");
      throw new BrokerlessError("invalid_config", `unknown ${this.#what} config "${name}"; known: ${known}`, {
        field: `configs.${name}`,
      });
    }
    return rule;
  }
}
