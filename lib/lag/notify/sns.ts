/**
 * Notices by SNS (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html), and so as e-mail to whoever subscribes with it:
 * text for people, or JSON by a template. The attributes `group`, `status`, `event` and `id` are for filter policies and for
 * whoever drops repetitions; a FIFO topic drops them itself, for five minutes.
 */
import { type Channel, post, type Send } from "./channel.ts";
import { type Template, textOf } from "./notice.ts";
import { bodyOf } from "./webhook.ts";

export interface SnsSettings {
  readonly topicArn: string;
  readonly template: Template | undefined;
  readonly closeTemplate: Template | undefined;
}

/** SNS takes as many characters. */
const SUBJECT_MOST = 100;

/** `send` signs for SNS; `endpoint` is `https://sns.<region>.amazonaws.com`. */
export function sns({ topicArn, template, closeTemplate }: SnsSettings, endpoint: string, send: Send): Channel {
  return {
    async send(notice, timeoutMs) {
      const chosen = notice.event === "close" ? (closeTemplate ?? template) : template;
      const fields = new URLSearchParams({
        Action: "Publish",
        Version: "2010-03-31",
        TopicArn: topicArn,
        Subject: subjectOf(`${notice.status}: consumer group ${notice.group}`),
        Message: chosen === undefined ? textOf(notice) : bodyOf(chosen, notice),
      });
      const attributes = { group: notice.group, status: notice.status, event: notice.event, id: notice.id };
      for (const [i, [name, value]] of Object.entries(attributes).entries()) {
        const at = `MessageAttributes.entry.${i + 1}`;
        fields.set(`${at}.Name`, name);
        fields.set(`${at}.Value.DataType`, "String");
        fields.set(`${at}.Value.StringValue`, value);
      }
      if (topicArn.endsWith(".fifo")) {
        fields.set("MessageGroupId", notice.incident);
        fields.set("MessageDeduplicationId", notice.id);
      }
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      await post(send, endpoint, { headers, body: fields.toString() }, timeoutMs);
    },
  };
}

/** ASCII without control characters, as SNS wants it. */
function subjectOf(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, SUBJECT_MOST);
}
