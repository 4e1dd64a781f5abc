import { describe, expect, test } from 'vitest';
import { parseSelector, selects } from '../../../../src/engine/auth/kubernetes/label-selector.ts';

const labels = { team: 'a', tier: 'x' };

describe('label selectors', () => {
  test.each([
    ['{}', true],
    ['{"matchLabels":{"team":"a","tier":"x"}}', true],
    ['{"matchLabels":{"team":"a","tier":"y"}}', false],
    ['matchLabels:\n  team: a', true],
    ['{"matchLabels":{"constructor":"x"}}', false],
    ['{"matchExpressions":[{"key":"team","operator":"In","values":["a","b"]}]}', true],
    ['{"matchExpressions":[{"key":"none","operator":"In","values":["a"]}]}', false],
    ['{"matchExpressions":[{"key":"team","operator":"NotIn","values":["a"]}]}', false],
    ['{"matchExpressions":[{"key":"none","operator":"NotIn","values":["a"]}]}', true],
    ['{"matchExpressions":[{"key":"team","operator":"Exists"}]}', true],
    ['{"matchExpressions":[{"key":"team","operator":"DoesNotExist"}]}', false],
  ])('%s selects: %s', (text, expected) => {
    const selector = parseSelector(text);
    if (selector === undefined) throw new Error('not read');
    expect(selects(selector, labels)).toBe(expected);
  });

  test.each([
    'text',
    '[1]',
    '{',
    '{"matchLabels":{"a":1}}',
    '{"matchExpressions":{}}',
    '{"matchExpressions":[{"key":"a","operator":"Near","values":["b"]}]}',
    '{"matchExpressions":[{"key":"a","operator":"In"}]}',
    '{"matchExpressions":[{"key":"a","operator":"Exists","values":["b"]}]}',
    'a: &a [x]\nb: *a',
  ])('%j is none', (text) => {
    expect(parseSelector(text)).toBeUndefined();
  });
});
