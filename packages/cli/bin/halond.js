#!/usr/bin/env node
import { halond } from "../dist/index.js";

await halond();
