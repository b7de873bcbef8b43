#!/usr/bin/env node
// Not from the index: that loads halonctl as well.
import { halond } from "../dist/halond/main.js";

await halond();
