-- What was sold on each day.
SELECT
    ordered_on AS day,
    count(*) AS orders,
    count(DISTINCT person_id) AS customers,
    CAST(sum(quantity) AS BIGINT) AS quantity,
    CAST(sum(amount) AS DECIMAL(12, 2)) AS amount
FROM retailer.orders
GROUP BY ordered_on
ORDER BY day
