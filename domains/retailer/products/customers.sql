-- One row per customer: what the orders say, and the (synthetic) address under which both parties know the person.
SELECT
    customer_id,
    person_id,
    'listener' || CAST(customer_id AS BIGINT) * 1566083941 % 2147483647 || '@mail.example' AS email,
    count(*) AS orders,
    CAST(sum(quantity) AS BIGINT) AS quantity,
    CAST(sum(amount) AS DECIMAL(12, 2)) AS amount,
    min(ordered_on) AS first_ordered_on,
    max(ordered_on) AS last_ordered_on,
    CASE WHEN count(*) = 1 THEN 'once' WHEN count(*) < 5 THEN 'repeat' ELSE 'regular' END AS tier
FROM retailer.orders
GROUP BY customer_id, person_id
ORDER BY customer_id
