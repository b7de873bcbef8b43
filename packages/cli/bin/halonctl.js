#!/usr/bin/env node
import { halonctl } from "../dist/index.js";

await halonctl();
