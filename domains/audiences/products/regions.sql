-- How many persons each region has, and what they agreed to.
SELECT
    region,
    count(*) AS persons,
    count(*) FILTER (WHERE consent_measurement) AS measurable,
    count(*) FILTER (WHERE consent_delivery) AS addressable,
    count(*) FILTER (WHERE consent_collaboration) AS shareable,
    CAST(round(avg(birth_year)) AS INTEGER) AS birth_year_mean
FROM audiences.persons
GROUP BY region
ORDER BY region
