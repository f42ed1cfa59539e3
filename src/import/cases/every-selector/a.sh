ip rule add not from 10.0.0.0/8 to 192.0.2.0/24 fwmark 0x10/0xf0 iif lo oif ib0 tos 0x10 uidrange 1000-1999 ipproto tcp sport 80 dport 8000-8100 lookup 9 suppress_prefixlength 16 suppress_ifgroup 3 pref 50
ip rule add pref 60 to 10.9.0.0/16 prohibit
ip -6 rule add pref 70 fwmark 2 goto 80
ip rule add pref 90 from 10.0.0.1 lookup main realms 4
ip rule add pref 91 l3mdev
