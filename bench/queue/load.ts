/** Workers in a process of their own. */
import { answering } from "../support/processes.ts";
import { work } from "./work.ts";

answering(work);
