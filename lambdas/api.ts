/** The whole HTTP app behind API Gateway: one event, one answer in one piece. */
import { apiHandler } from "../lib/http/lambda/handler.ts";
import { openApp } from "./app.ts";

export const handler = apiHandler(openApp());
