echo "201 alinat" >> /etc/iproute2/rt_tables
printf '202\tstorage\n' | sudo tee -a /etc/iproute2/rt_tables.d/hpc.conf
cat >> /etc/iproute2/rt_tables <<EOF
203 10gb   # no name that the file could use
204 spare
EOF
ip rule add from 10.0.0.1 table alinat pref 1
ip rule add from 10.0.0.2 table storage pref 2
ip rule add from 10.0.0.3 table 10gb pref 3
ip rule add from 10.0.0.4 table nobody pref 4
ip rule del from 10.0.0.1 table 201
ip rule add from 10.0.0.1 table 201 pref 1
