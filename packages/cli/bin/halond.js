#!/usr/bin/env node
import { halond } from "../dist/bundle/halond.js";

await halond();
