/** The topic as an argument, or as `-t` where hands are used to kcat. */
import type { Command } from "commander";
import { UsageError } from "../exit-codes.ts";

export function withTopic(command: Command): Command {
  return command.argument("[topic]", "the topic").option("-t, --topic <topic>", "the topic, as kcat has it");
}

/** Throws `UsageError` where none or two are given. */
export function topicOf(argument: string | undefined, option: string | undefined): string {
  if (argument !== undefined && option !== undefined && argument !== option) {
    throw new UsageError(`--topic ${option}: the topic is ${argument} already`);
  }
  const topic = argument ?? option;
  if (topic === undefined || topic === "") throw new UsageError("which topic? Name it after the command");
  return topic;
}
