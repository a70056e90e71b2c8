// Evaluates expressions with the reference implementation: one JSON document {"expr", "input"} per line in, and out a
// line {"value"}, {"undefined": true} or {"code"} for each.
const jsonata = require('jsonata');
const lines = require('readline').createInterface({input: process.stdin});
(async () => {
  for await (const line of lines) {
    const {expr, input} = JSON.parse(line);
    let answer;
    try {
      const value = await jsonata(expr).evaluate(input);
      answer = value === undefined ? {undefined: true} : typeof value === 'function' || (value && (value._jsonata_lambda || value._jsonata_function)) ? {function: true} : {value};
    } catch (e) {
      answer = {code: e.code || 'crash'};
    }
    let text;
    try {
      text = JSON.stringify(answer);
    } catch (e) {
      text = '{"code":"crash"}'; // the value holds itself
    }
    console.log(text);
  }
})();
